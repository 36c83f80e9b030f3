"""Prometheus' text format as Prometheus' own parser reads it."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client.parser import text_string_to_metric_families as parse

from recio.web.exposition import Exposition
from recio.web.meter import BOUNDS_S, Meter


@given(
    st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\r"), max_size=40),
    st.floats(allow_nan=False),
)
def test_any_label_and_value_comes_back_as_it_was(label: str, value: float) -> None:
    out = Exposition()
    out.family("recio_x", "gauge", 'help with "quotes",\nlines and \\', [({"a": label, "b": "2"}, value)])
    (family,) = parse(out.text())
    assert (family.type, family.samples[0].labels, family.samples[0].value) == ("gauge", {"a": label, "b": "2"}, value)


def test_unknown_is_absent_never_zero() -> None:
    out = Exposition()
    out.family("recio_a", "gauge", "x", None)
    out.family("recio_b", "gauge", "x", [({"s": "one"}, None), ({"s": "two"}, 0)])
    assert "recio_a" not in out.text() and 's="one"' not in out.text() and 'recio_b{s="two"} 0' in out.text()


def test_a_histogram_is_cumulative_and_ends_with_its_count() -> None:
    meter, out = Meter(), Exposition()
    for seconds in (0.0004, 0.001, 0.003, 2.0, 60.0):
        meter.count("GET", "/api/price", 200, seconds)
    meter.count("PROPFIND", "(none)", 401, 0.1)
    timing = meter.timings["GET", "/api/price"]
    out.histogram("recio_t_seconds", "x", BOUNDS_S, [({"route": "/api/price"}, timing.counts, timing.sum_s)])
    (family,) = parse(out.text())
    buckets = [(s.labels["le"], s.value) for s in family.samples if s.name.endswith("_bucket")]
    assert buckets[0] == ("0.001", 2) and buckets[-1] == ("+Inf", 5) and len(buckets) == len(BOUNDS_S) + 1
    assert [value for _, value in buckets] == sorted(value for _, value in buckets)
    assert ("other", "(none)", 401) in meter.requests
