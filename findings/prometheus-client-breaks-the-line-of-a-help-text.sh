#!/usr/bin/env bash
# prometheus-client 0.26.0 (Rust) writes a metric's help text into OpenMetrics as it is. OpenMetrics 1.0 asks for `\n` in
# the place of a line break and `\\` in that of a backslash. So a help text of two lines ends the whole scrape: a parser
# takes the second line for a sample. Label values are escaped, and the same crate's `prometheus_text::encode` escapes help
# texts too.
#
# The judge is the parser of Prometheus' own client for Python. Exits 0 while that is so.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "help"
version = "0.1.0"
edition = "2021"

[dependencies]
prometheus-client = "=0.26.0"

[workspace]
TOML
cat >"$work/src/main.rs" <<'RS'
use prometheus_client::encoding::{prometheus_text, text};
use prometheus_client::{metrics::gauge::Gauge, registry::Registry};

fn main() {
    let mut registry = Registry::default();
    let help = std::env::args().nth(2).unwrap();
    registry.register("temperature", help, Gauge::<i64>::default());
    let mut out = String::new();
    match std::env::args().nth(1).as_deref() {
        Some("openmetrics") => text::encode(&mut out, &registry).unwrap(),
        _ => prometheus_text::encode(&mut out, &registry).unwrap(),
    }
    print!("{out}");
}
RS
export CARGO_TARGET_DIR=$work/target
cargo build --quiet --manifest-path "$work/Cargo.toml"
python3 -m venv "$work/venv"
"$work/venv/bin/pip" -q --disable-pip-version-check install prometheus_client==0.26.0
"$work/venv/bin/python" - "$work/target/debug/help" <<'PY'
import subprocess
import sys

from prometheus_client import parser
from prometheus_client.openmetrics import parser as openmetrics_parser

PARSERS = {
    "openmetrics": openmetrics_parser.text_string_to_metric_families,
    "text": parser.text_string_to_metric_families,
}
found = {}
for form, read in PARSERS.items():
    for help in ("One line", "First line\nand a second"):
        encoded = subprocess.run([sys.argv[1], form, help], capture_output=True, text=True, check=True).stdout
        try:
            found[form, help] = [metric.documentation for metric in read(encoded)]
        except ValueError as error:
            found[form, help] = error
        print(f"{form}, {help!r}: {found[form, help]!r}")
one, two = "One line", "First line\nand a second"
assert found["openmetrics", one][0].startswith(one) and found["text", one][0].startswith(one)
assert found["text", two][0].startswith(two)
assert isinstance(found["openmetrics", two], ValueError)
PY
