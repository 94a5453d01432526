"""OpenTelemetry's environment variables that say whether, how often and in which form metrics are pushed by OTLP.

The others, such as headers and certificates, the exporter reads. ≠ pushing.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib.util import find_spec

from .settings import PushSettings, SettingsError

ENDPOINT = "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT"
BASE = "OTEL_EXPORTER_OTLP_ENDPOINT"
EXPORTER = "OTEL_METRICS_EXPORTER"
PROTOCOL = "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL"
BASE_PROTOCOL = "OTEL_EXPORTER_OTLP_PROTOCOL"
INTERVAL = "OTEL_METRIC_EXPORT_INTERVAL"
TEMPORALITY = "OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE"
HISTOGRAMS = "OTEL_EXPORTER_OTLP_METRICS_DEFAULT_HISTOGRAM_AGGREGATION"
DISABLED = "OTEL_SDK_DISABLED"

_EXPONENTIAL = {"explicit_bucket_histogram": False, "base2_exponential_bucket_histogram": True}
_PACKAGE = "opentelemetry.exporter.otlp.proto.http"


def push_from_environment(environment: Mapping[str, str]) -> PushSettings | None:
    """Return how metrics are pushed; None: they are not.

    They are where an endpoint for metrics is named, or one for all signals and the exporter `otlp`: an endpoint for
    all signals alone may be meant for traces.

    Raises:
        SettingsError: What is asked for is not possible.
    """
    said = {name: text.strip() for name, text in environment.items() if name.startswith("OTEL_") and text.strip()}
    exporters = [one.strip().lower() for one in said.get(EXPORTER, "").split(",") if one.strip()]
    name = ENDPOINT if ENDPOINT in said else BASE
    if said.get(DISABLED, "").lower() == "true" or name not in said:
        return None
    if "otlp" not in exporters and (exporters or name == BASE):
        return None
    if not said[name].startswith(("http://", "https://")):
        # Not even this one is shown: a URL may hold a password.
        raise SettingsError(f"{name}: not a web address: write a URL that begins with http:// or https://")
    _check_protocol(said)
    if (wanted := said.get(TEMPORALITY, "cumulative").lower()) != "cumulative":
        raise SettingsError(f"{TEMPORALITY}: {wanted}: Claxon's counters are cumulative; leave it out")
    if not _is_installed():
        raise SettingsError(f"{name}: is set: needs OpenTelemetry's exporter: install claxon-server[otlp]")
    return PushSettings(interval_s=_interval(said), exponential=_form(said))


def _check_protocol(said: Mapping[str, str]) -> None:
    name = PROTOCOL if PROTOCOL in said else BASE_PROTOCOL
    if said.get(name, "http/protobuf") != "http/protobuf":
        raise SettingsError(f"{name}: {said[name]}: Claxon speaks http/protobuf: set {PROTOCOL}=http/protobuf")


def _interval(said: Mapping[str, str]) -> float:
    text = said.get(INTERVAL, "60000")
    if not text.isascii() or not text.isdigit() or not 1_000 <= int(text) <= 86_400_000:
        raise SettingsError(f"{INTERVAL}: {text}: write milliseconds, from 1000 to 86400000")
    return int(text) / 1000


def _form(said: Mapping[str, str]) -> bool:
    text = said.get(HISTOGRAMS, "explicit_bucket_histogram").lower()
    if text not in _EXPONENTIAL:
        raise SettingsError(f"{HISTOGRAMS}: {text}: write one of {', '.join(_EXPONENTIAL)}")
    return _EXPONENTIAL[text]


def _is_installed() -> bool:
    try:
        return find_spec(_PACKAGE) is not None
    except ModuleNotFoundError:  # one of the packages above it
        return False
