#!/usr/bin/env bash
# utoipa 6.0.0: two fields whose types are aliases of one generic type, `type Names = Page<Name>` and
# `type Numbers = Page<Number>`, are described by one schema, `Page`: that of the alias that comes last. Its items refer to
# `#/components/schemas/Number`, which the document does not have. With the types written out there are `Page_Name` and
# `Page_Number`, each whole. Neither the compiler nor the library says a word, and clients that are generated from the
# document read names as numbers. (Aliases that are listed in a build script are another feature.)
#
# Exits 0 while that is so.
set -euo pipefail

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir "$work/src"
cat >"$work/Cargo.toml" <<'TOML'
[package]
name = "aliases"
version = "0.1.0"
edition = "2021"

[dependencies]
utoipa = "=6.0.0"

[workspace]
TOML
cat >"$work/src/main.rs" <<'RS'
#![allow(dead_code)]
use utoipa::{OpenApi, ToSchema};

#[derive(ToSchema)]
struct Page<T> {
    items: Vec<T>,
}

#[derive(ToSchema)]
struct Name {
    text: String,
}

#[derive(ToSchema)]
struct Number {
    value: u8,
}

type Names = Page<Name>;
type Numbers = Page<Number>;

#[derive(ToSchema)]
struct WrittenOut {
    names: Page<Name>,
    numbers: Page<Number>,
}

#[derive(ToSchema)]
struct Aliased {
    names: Names,
    numbers: Numbers,
}

#[derive(OpenApi)]
#[openapi(components(schemas(WrittenOut)))]
struct First;

#[derive(OpenApi)]
#[openapi(components(schemas(Aliased)))]
struct Second;

fn main() {
    println!("{}", First::openapi().to_json().unwrap());
    println!("{}", Second::openapi().to_json().unwrap());
}
RS
CARGO_TARGET_DIR="$work/target" cargo run --quiet --manifest-path "$work/Cargo.toml" >"$work/documents"
python3 - "$work/documents" <<'PY'
import json
import sys

for line, name in zip(open(sys.argv[1]), ("WrittenOut", "Aliased")):
    schemas = json.loads(line)["components"]["schemas"]
    fields = {field: schema["$ref"].rsplit("/")[-1] for field, schema in schemas[name]["properties"].items()}
    lost = [
        items["$ref"]
        for schema in schemas.values()
        if (items := schema["properties"].get("items", {}).get("items", {})).get("$ref", "").rsplit("/")[-1] not in schemas
        and "$ref" in items
    ]
    print(f"{name}: {fields}, references to nothing: {lost}")
    if name == "WrittenOut":
        assert fields == {"names": "Page_Name", "numbers": "Page_Number"} and not lost
    else:
        assert fields == {"names": "Page", "numbers": "Page"} and lost == ["#/components/schemas/Number"]
PY
