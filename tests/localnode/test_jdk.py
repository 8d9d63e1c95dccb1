from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.localnode import JdkNotFoundError, NodeSettings, find_jdk, start

COMPLETE = ("java.base", "jdk.jlink", "jdk.incubator.vector")


def fake_java(home: Path, version: str, modules: tuple[str, ...] = COMPLETE) -> Path:
    """A JDK home whose java is a shell script that only lists the modules of ``version``."""
    java = home / "bin" / "java"
    java.parent.mkdir(parents=True)
    listing = "\n".join(f"{module}@{version}" for module in modules)
    java.write_text(f"#!/bin/sh\ncat <<'END'\n{listing}\nEND\n")
    java.chmod(0o755)
    return home


def fake_java_8(home: Path) -> Path:
    """A JDK home whose java is a shell script that answers as Java 8 does, which knows no modules."""
    java = home / "bin" / "java"
    java.parent.mkdir(parents=True)
    java.write_text(
        '#!/bin/sh\nif [ "$1" = -version ]; then echo \'openjdk version "1.8.0_412"\' >&2; exit 0; fi\n'
        "echo 'Unrecognized option: --list-modules' >&2; exit 1\n"
    )
    java.chmod(0o755)
    return home


def test_a_java_home_that_is_too_old_does_not_hide_a_fit_jdk(tmp_path: Path) -> None:
    """JAVA_HOME may point at any Java: a JDK installed elsewhere is found all the same (fake java scripts)."""
    old = fake_java(tmp_path / "old", "17.0.15")
    fit = fake_java(tmp_path / "jvm" / "temurin-25", "25.0.3")
    found = find_jdk(environment={"JAVA_HOME": str(old), "PATH": ""}, install_places=[str(tmp_path / "jvm" / "*")])
    assert (found.home, found.version, found.has_javac) == (fit, 25, False)


def test_the_newest_installed_jdk_is_taken(tmp_path: Path) -> None:
    """Among the JDKs installed on the machine the newest serves (fake java scripts)."""
    for version in ("21", "25", "17"):
        fake_java(tmp_path / f"jdk-{version}-x64", f"{version}.0.1")
    assert find_jdk(environment={"PATH": ""}, install_places=[str(tmp_path / "*")]).version == 25


def test_es_java_home_comes_before_java_home(tmp_path: Path) -> None:
    """ES_JAVA_HOME is how a user picks the Java for Elasticsearch alone (fake java scripts)."""
    picked = fake_java(tmp_path / "picked", "21.0.2")
    other = fake_java(tmp_path / "other", "25.0.3")
    environment = {"ES_JAVA_HOME": str(picked), "JAVA_HOME": str(other), "PATH": ""}
    assert find_jdk(environment=environment, install_places=[]).home == picked


def test_when_none_fits_the_message_names_each_and_why(tmp_path: Path) -> None:
    """Without a fit JDK the user reads what was found, what is wrong with each and what to do (fake java scripts)."""
    eight = fake_java_8(tmp_path / "eight")
    seventeen = fake_java(tmp_path / "jvm" / "17", "17.0.15")
    cut_down = fake_java(tmp_path / "jvm" / "25-jre", "25", modules=("java.base", "java.sql"))
    environment = {"JAVA_HOME": str(eight), "ES_JAVA_HOME": str(tmp_path / "nowhere"), "PATH": ""}
    with pytest.raises(JdkNotFoundError) as caught:
        find_jdk(environment=environment, install_places=[str(tmp_path / "jvm" / "*")])
    message = caught.value.message
    assert f"{eight}: version 1.8.0_412 is too old" in message
    assert f"{seventeen}: version 17.0.15 is too old" in message
    assert f"{cut_down}: version 25 is cut down, without jdk.incubator.vector, jdk.jlink" in message
    assert f"{tmp_path / 'nowhere'}: has no bin/java" in message
    assert "ES_JAVA_HOME" in caught.value.hint
    assert "ELASTICSEARCH_URL" in caught.value.hint


def test_a_start_without_a_fit_jdk_downloads_nothing(tmp_path: Path) -> None:
    """A JDK that is missing is told at once, not after a download of 130 MB (fake java script of version 17)."""
    old = fake_java(tmp_path / "old", "17.0.15")
    with pytest.raises(JdkNotFoundError, match=r"17\.0\.15 is too old"):
        start(NodeSettings(home=tmp_path / "home", port=0, java_home=old))
    assert not (tmp_path / "home" / "dist").exists()
