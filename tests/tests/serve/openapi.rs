//! The description of the routes: `/openapi.json`.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use ampoule_tests::{Reply, SharedServer, picture_base64, workspace_file};
use serde_json::{Value, json};

/// Returns the paths of the handlers in the server's sources: those of `#[utoipa::path]`, and those of plain routes.
fn paths_in(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            paths_in(&path, found);
            continue;
        }
        // Tests have routes of their own.
        if path.to_str().unwrap().ends_with("_tests.rs") {
            continue;
        }
        let Ok(text) = fs::read_to_string(&path) else {
            continue;
        };
        for line in text.lines().map(str::trim) {
            let starts = ["path = \"/", ".route(\"/"];
            let rest = starts
                .iter()
                .find_map(|start| Some(line.split_once(start)?.1));
            let is_code = !line.starts_with("//");
            if let Some((path, _)) = rest
                .filter(|_| is_code)
                .and_then(|rest| rest.split_once('"'))
            {
                let path = format!("/{path}");
                found.insert(path);
            }
        }
    }
}

#[test]
fn every_route_is_described_with_its_errors() {
    let server = SharedServer::get();
    let document = server.get("/openapi.json").json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"));
    assert_eq!(document["info"]["title"], "Ampoule");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(document["servers"][0]["url"], "/");
    let paths = document["paths"].as_object().unwrap();

    let mut routes = BTreeSet::new();
    paths_in(&workspace_file("host/server/src"), &mut routes);
    assert!(routes.len() > 25, "{routes:?}");
    let described: BTreeSet<String> = paths.keys().cloned().collect();
    // The page's own files are no interface.
    routes.retain(|path| !path.starts_with("/page/"));
    // A route that takes a name with slashes is described by its name's parameter, or by each path within it.
    let is_described = |route: &&String| {
        let whole = route.replace("{*", "{");
        let within = route.split_once("{*").map(|(start, _)| start);
        described.contains(&whole)
            || within.is_some_and(|start| described.iter().any(|path| path.starts_with(start)))
    };
    let missing: Vec<_> = routes.iter().filter(|route| !is_described(route)).collect();
    assert!(missing.is_empty(), "not described: {missing:?}");

    let mut ids = BTreeSet::new();
    for (path, item) in paths {
        for (method, operation) in item.as_object().unwrap() {
            let id = operation["operationId"].as_str().unwrap();
            // One handler for several methods has one id.
            assert!(
                ids.insert((id.to_owned(), path)) || method == "post",
                "{id}"
            );
            let responses = operation["responses"].as_object().unwrap();
            assert!(!responses.is_empty(), "{method} {path}");
            if method == "post" && !operation["requestBody"].is_null() {
                let has_error = responses
                    .keys()
                    .any(|status| status == "default" || status.starts_with('4'));
                assert!(has_error, "{method} {path} has no error");
            }
            for name in path.split('{').skip(1) {
                let name = name.split('}').next().unwrap();
                let parameters = operation["parameters"].as_array();
                let is_described = parameters
                    .into_iter()
                    .flatten()
                    .any(|parameter| parameter["name"] == name);
                assert!(is_described, "{method} {path}: {name}");
            }
        }
    }
}

#[test]
fn a_models_routes_are_described_with_a_version_too() {
    let document = SharedServer::get().get("/openapi.json").json();
    let paths = &document["paths"];
    for (method, rest) in [
        ("get", ""),
        ("get", "/ready"),
        ("get", "/stats"),
        ("post", "/infer"),
    ] {
        let plain = &paths[format!("/v2/models/{{name}}{rest}")][method];
        let path = format!("/v2/models/{{name}}/versions/{{version}}{rest}");
        let versioned = &paths[&path][method];
        assert!(plain["responses"].is_object(), "{rest}");
        for part in ["responses", "requestBody"] {
            assert_eq!(versioned[part], plain[part], "{path}");
        }
        let version = &versioned["parameters"][1];
        assert_eq!(version["name"], "version", "{path}");
        assert_eq!(version["in"], "path", "{path}");
        assert_eq!(version["required"], true, "{path}");
    }
}

#[test]
fn every_reference_has_its_schema() {
    fn check(document: &Value, at: &Value) {
        match at {
            Value::Object(members) => {
                if let Some(reference) = members.get("$ref").and_then(Value::as_str) {
                    let pointed = document.pointer(reference.strip_prefix('#').unwrap());
                    assert!(pointed.is_some(), "{reference}");
                }
                members.values().for_each(|member| check(document, member));
            }
            Value::Array(items) => items.iter().for_each(|item| check(document, item)),
            _ => {}
        }
    }
    let document = SharedServer::get().get("/openapi.json").json();
    check(&document, &document);
}

/// A small check of a value against a schema: types, required members, items, references, choices, words.
struct Schemas<'d> {
    document: &'d Value,
}

impl Schemas<'_> {
    fn fault(&self, value: &Value, schema: &Value) -> Option<String> {
        if let Some(reference) = schema["$ref"].as_str() {
            let pointed = self.document.pointer(reference.strip_prefix('#').unwrap());
            return self.fault(value, pointed.unwrap());
        }
        let faults = |parts: &Value| -> Vec<Option<String>> {
            let parts = parts.as_array().into_iter().flatten();
            parts.map(|part| self.fault(value, part)).collect()
        };
        if let Some(fault) = faults(&schema["allOf"]).into_iter().flatten().next() {
            return Some(fault);
        }
        let (one, any) = (faults(&schema["oneOf"]), faults(&schema["anyOf"]));
        let fitting =
            |faults: &[Option<String>]| faults.iter().filter(|fault| fault.is_none()).count();
        if (!one.is_empty() && fitting(&one) != 1) || (!any.is_empty() && fitting(&any) == 0) {
            return Some(format!("{value} is not one of {schema}"));
        }
        if let Some(fault) = self.fault_of_type(value, schema) {
            return Some(fault);
        }
        if schema["enum"]
            .as_array()
            .is_some_and(|words| !words.contains(value))
        {
            return Some(format!("{value} is none of {}", schema["enum"]));
        }
        let required = schema["required"].as_array().into_iter().flatten();
        if let Some(name) = required
            .filter_map(Value::as_str)
            .find(|name| value.get(name).is_none())
        {
            return Some(format!("`{name}` is missing in {value}"));
        }
        let members = schema["properties"].as_object().into_iter().flatten();
        for (name, schema) in members {
            if let Some(fault) = value.get(name).and_then(|value| self.fault(value, schema)) {
                return Some(format!("{name}: {fault}"));
            }
        }
        let items = value
            .as_array()
            .filter(|_| schema["items"].is_object())
            .into_iter()
            .flatten();
        items
            .filter_map(|item| self.fault(item, &schema["items"]))
            .next()
    }

    fn fault_of_type(&self, value: &Value, schema: &Value) -> Option<String> {
        let allowed: Vec<&str> = match &schema["type"] {
            Value::String(one) => vec![one],
            Value::Array(several) => several.iter().filter_map(Value::as_str).collect(),
            _ => return None,
        };
        let is_one = allowed.iter().any(|name| match *name {
            "null" => value.is_null(),
            "boolean" => value.is_boolean(),
            "integer" => value.is_i64() || value.is_u64(),
            "number" => value.is_number(),
            "string" => value.is_string(),
            "array" => value.is_array(),
            "object" => value.is_object(),
            _ => false,
        });
        (!is_one).then(|| format!("{value} is not {allowed:?}"))
    }
}

#[test]
fn answers_and_errors_are_as_they_are_described() {
    let server = SharedServer::get();
    let document = server.get("/openapi.json").json();
    let schemas = Schemas {
        document: &document,
    };
    let check = |method: &str, path: &str, reply: &Reply| {
        let responses = &document["paths"][path][method]["responses"];
        let status = reply.status.to_string();
        let response = match &responses[&status] {
            Value::Null => &responses["default"],
            found => found,
        };
        let schema = &response["content"]["application/json"]["schema"];
        assert!(schema.is_object(), "{method} {path} {status}: {responses}");
        let fault = schemas.fault(&reply.json(), schema);
        assert_eq!(fault, None, "{method} {path} {status}: {}", reply.text());
    };
    for path in [
        "/api/tags",
        "/api/ps",
        "/api/version",
        "/ampoule/v1/models",
        "/v1/models",
        "/readyz",
        "/openapi.json",
    ] {
        let reply = server.get(path);
        assert_eq!(reply.status, 200, "{path}");
        check("get", path, &reply);
    }
    let native = "/ampoule/v1/models/{name}";
    check("get", native, &server.get("/ampoule/v1/models/tiny-vlm"));
    check("get", native, &server.get("/ampoule/v1/models/nobody"));

    let model = "every-task";
    let picture = picture_base64();
    let turns = json!([{"role": "user", "content": "one two"}]);
    for (path, request) in [
        (
            "/api/chat",
            json!({"model": model, "messages": turns, "stream": false}),
        ),
        ("/api/chat", json!({"model": model})),
        (
            "/api/generate",
            json!({"model": model, "prompt": "one", "stream": false}),
        ),
        ("/api/embed", json!({"model": model, "input": "one"})),
        ("/api/embeddings", json!({"model": model, "prompt": "one"})),
        ("/api/show", json!({"model": model})),
        ("/v1/embeddings", json!({"model": model, "input": ["one"]})),
        (
            "/v1/chat/completions",
            json!({"model": model, "messages": turns}),
        ),
        ("/v1/completions", json!({"model": model, "prompt": "one"})),
        (
            "/ampoule/v1/models/{name}/text-embedding",
            json!({"texts": ["one"]}),
        ),
        (
            "/ampoule/v1/models/{name}/text-tokenization",
            json!({"texts": ["one"]}),
        ),
        (
            "/ampoule/v1/models/{name}/text-generation",
            json!({"prompt": "one"}),
        ),
    ] {
        let url = path.replace("{name}", model);
        let reply = server.post(&url, &request);
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        check("post", path, &reply);
        let refused = server.post(&url, &json!({"model": 7, "texts": 7, "prompt": 7}));
        assert_eq!(refused.status, 400, "{path}: {}", refused.text());
        check("post", path, &refused);
    }
    for (task, request) in [
        ("image-embedding", json!({"images": [picture]})),
        ("image-classification", json!({"image": picture})),
    ] {
        let reply = server.post(&format!("/ampoule/v1/models/tiny-vlm/{task}"), &request);
        assert_eq!(reply.status, 200, "{}", reply.text());
        check(
            "post",
            &format!("/ampoule/v1/models/{{name}}/{task}"),
            &reply,
        );
    }
}
