"""The search page: News search, article and ingestion views as plain HTML, for ``news serve`` and for Airflow's pages.

``create_app`` (app.py) makes the FastAPI application; what a page shows is prepared by pure functions in views.py;
``serve`` (serve.py) runs it alone on this machine. It only reads.
"""
