//! The manual's tables of fields, in `docs/serve`: each field is sent, and treated as its table says.

use std::collections::BTreeSet;

use ampoule_tests::{SharedServer, picture_base64};
use serde_json::Value;

use effects::check_of;
use manual::{lasting, set, tables};
use sent::Sent;
use server::FieldServer;

#[path = "fields/calls.rs"]
mod calls;
#[path = "fields/effects.rs"]
mod effects;
#[path = "fields/generation.rs"]
mod generation;
#[path = "fields/manual.rs"]
mod manual;
#[path = "fields/sent.rs"]
mod sent;
#[path = "fields/server.rs"]
mod server;
#[path = "fields/vectors.rs"]
mod vectors;

#[test]
fn every_field_is_treated_as_its_table_says() {
    let server = FieldServer::start();
    let picture = picture_base64();
    let tables = tables();
    assert!(!tables.is_empty());
    let mut wrong = Vec::new();
    for table in &tables {
        let request = table.json(&table.request, &picture);
        let without = table.send_to(&server, table.model(), &request);
        if without.status != 200 {
            wrong.push(format!(
                "{}: its request fails: {}",
                table.title(),
                without.text()
            ));
            continue;
        }
        for row in &table.rows {
            let mut with = request.clone();
            set(&mut with, &row.field, table.json(&row.example, &picture));
            let reply = table.send_to(&server, table.model(), &with);
            let name = row.field.rsplit('.').next().unwrap_or_default();
            let name = name.split('[').next().unwrap_or_default();
            let is_right = match row.treatment.as_str() {
                "honoured" => reply.status == 200,
                "ignored" => reply.status == 200 && lasting(&reply) == lasting(&without),
                "refused" => (400..500).contains(&reply.status) && reply.text().contains(name),
                other => panic!("{}: `{other}` is no treatment", table.title()),
            };
            if !is_right {
                let text: String = reply.text().chars().take(300).collect();
                wrong.push(format!(
                    "{}: `{}` is not {}: {} {text}",
                    table.title(),
                    row.field,
                    row.treatment,
                    reply.status
                ));
            } else if row.treatment == "honoured" {
                let sent = Sent {
                    server: &server,
                    table,
                    row,
                    picture: &picture,
                    request: &request,
                    without: &without,
                    reply: &reply,
                };
                let fault = match check_of(&table.path, &row.field) {
                    Some(check) => check(&sent).err(),
                    None => Some("no check of its effect in fields/effects.rs".to_owned()),
                };
                if let Some(fault) = fault {
                    wrong.push(format!(
                        "{}: `{}` has no effect: {fault}",
                        table.title(),
                        row.field
                    ));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Finds what a schema's references and parts describe: the fields of a request, as paths.
struct Fields<'d> {
    document: &'d Value,
    found: BTreeSet<String>,
}

impl Fields<'_> {
    fn collect(&mut self, schema: &Value, prefix: &str, depth: usize) {
        assert!(depth < 32, "a schema that contains itself: {prefix}");
        if let Some(reference) = schema["$ref"].as_str() {
            let pointed = reference.strip_prefix('#').unwrap();
            let pointed = self.document.pointer(pointed).unwrap_or(&Value::Null);
            return self.collect(&pointed.clone(), prefix, depth + 1);
        }
        for parts in ["allOf", "anyOf", "oneOf"] {
            for part in schema[parts].as_array().into_iter().flatten() {
                self.collect(part, prefix, depth + 1);
            }
        }
        if schema["items"].is_object() {
            self.collect(&schema["items"], &format!("{prefix}[]"), depth + 1);
        }
        for (name, field) in schema["properties"].as_object().into_iter().flatten() {
            let path = if prefix.is_empty() {
                name.clone()
            } else {
                format!("{prefix}.{name}")
            };
            self.collect(field, &path, depth + 1);
            self.found.insert(path);
        }
    }
}

/// Tells whether a path of the manual is this one of the document, whatever their parameters are called. A version of a
/// model in a path changes nothing of its fields.
fn is_same_path(manual: &str, document: &str) -> bool {
    let document = document.replace("/versions/{version}", "");
    let (manual, document): (Vec<&str>, Vec<&str>) =
        (manual.split('/').collect(), document.split('/').collect());
    manual.len() == document.len()
        && manual
            .iter()
            .zip(&document)
            .all(|(m, d)| m == d || (d.starts_with('{') && (*m == "MODEL" || m.starts_with('{'))))
}

#[test]
fn every_field_of_a_routes_schema_has_a_row() {
    let server = SharedServer::get();
    let document = server.get("/openapi.json").json();
    let tables = tables();
    let mut missing = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        let schema = &item["post"]["requestBody"]["content"]["application/json"]["schema"];
        if schema.is_null() {
            continue;
        }
        let of_route = tables
            .iter()
            .filter(|table| table.method == "POST" && is_same_path(&table.path, path));
        let rows = of_route.flat_map(|table| &table.rows);
        let rows: Vec<(String, &str)> = rows
            .map(|row| (normal(&row.field), row.treatment.as_str()))
            .collect();
        if rows.is_empty() {
            missing.push(format!("{path}: no table"));
            continue;
        }
        let mut fields = Fields {
            document: &document,
            found: BTreeSet::new(),
        };
        fields.collect(schema, "", 0);
        for field in fields.found {
            let field = normal(&field);
            // A field that is never honoured needs no rows for its parts.
            let is_settled = |name: &str| {
                let mut of_name = rows.iter().filter(|(row, _)| row == name).peekable();
                of_name.peek().is_some() && of_name.all(|(_, treatment)| *treatment != "honoured")
            };
            let mut around = field.match_indices('.').map(|(dot, _)| &field[..dot]);
            if !rows.iter().any(|(row, _)| *row == field) && !around.any(is_settled) {
                missing.push(format!("{path}: `{field}` has no row"));
            }
        }
    }
    assert!(missing.is_empty(), "{}", missing.join("\n"));
}

/// Returns a field's path without the places of items.
fn normal(field: &str) -> String {
    let parts = field
        .split('.')
        .map(|part| part.split('[').next().unwrap_or_default());
    parts.collect::<Vec<_>>().join(".")
}
