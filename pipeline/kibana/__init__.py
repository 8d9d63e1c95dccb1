"""Kibana for the news index: data views, saved searches, a map and dashboards, defined once and installed by command.

::

    charts.py       what a panel is: filters, metrics, buckets, charts, listings           pure
    content.py      the data views, saved searches and dashboards themselves                data
    queries.py      a chart or listing -> the Elasticsearch search that it stands for       pure
    lens.py         a chart -> Lens, as the Dashboards API and as saved objects want it     pure
    objects.py      all of it -> saved objects, dashboard bodies, the export file           pure
    marks.py        the mark in each object that tells what setup wrote from what a person changed    pure
    connection.py   KibanaConnection, the client                                            [network]
    install.py      setup: create, update, leave alone                                      [network]
    links.py        addresses of dashboards, for pages that lead there                      pure
    commands.py     ``news kibana …``

Nothing here imports Elasticsearch or another stage; fields are those of ``pipeline.index.templates``.
"""
