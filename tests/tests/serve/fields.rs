//! The manual's tables of fields, in `docs/serve`: each field is sent, and treated as its table says.
//!
//! A heading with a method and a path begins a route. A block of JSON is a request that works, and each row of the table
//! after it is a field to send with it. `MODEL` is a model's name, `PICTURE` a `data:` address, `PICTURE_BASE64` its bare
//! base64.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use ampoule_tests::{Reply, Served, SharedServer, picture_base64, workspace_file};
use serde_json::{Map, Value};

use crate::field_effects::{Sent, check_of};
use crate::field_server::{EVERY_TASK, FieldServer, TINY_VLM};

/// Keys of answers that differ from one answer to the next of the same request.
const CHANGING: [&str; 8] = [
    "id",
    "created",
    "created_at",
    "completed_at",
    "item_id",
    "response_id",
    "sandboxes",
    "x_request_id",
];

/// Ends of keys that hold times.
const TIMES: [&str; 4] = ["_duration", "_ms", "_ns", "_seconds"];

/// A table with the request that its fields are sent with.
pub(crate) struct Table {
    file: String,
    method: String,
    pub(crate) path: String,
    request: String,
    rows: Vec<Row>,
}

pub(crate) struct Row {
    pub(crate) field: String,
    pub(crate) example: String,
    treatment: String,
}

/// Reads the tables of all files.
fn tables() -> Vec<Table> {
    let folder = workspace_file("docs/serve");
    let mut files: Vec<PathBuf> = fs::read_dir(&folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    files.sort();
    files.iter().flat_map(tables_of).collect()
}

fn tables_of(file: &PathBuf) -> Vec<Table> {
    let name = file.file_name().unwrap().to_str().unwrap();
    let text = fs::read_to_string(file).unwrap();
    let mut tables: Vec<Table> = Vec::new();
    let mut route: Option<(String, String)> = None;
    let mut request = String::new();
    let mut is_in_request = false;
    let mut is_in_table = false;
    for line in text.lines() {
        if is_in_request {
            is_in_request = line != "```";
            if is_in_request {
                request.push_str(line);
            }
        } else if line.starts_with('#') {
            route = route_of(line);
            request.clear();
        } else if line == "```json" {
            is_in_request = true;
            request.clear();
        } else if line.starts_with("| field |") {
            let (method, path) = route.clone().unwrap_or_else(|| {
                panic!("{name}: a table of fields without a route above it: {line}")
            });
            is_in_table = true;
            tables.push(Table {
                file: name.to_owned(),
                method,
                path,
                request: request.clone(),
                rows: Vec::new(),
            });
        } else if !line.starts_with('|') {
            is_in_table = false;
        } else if is_in_table && !line.starts_with("| ---") && !line.starts_with("|---") {
            let row = row(line).unwrap_or_else(|| panic!("{name}: no row of a table: {line}"));
            tables.last_mut().unwrap().rows.push(row);
        }
    }
    tables
}

/// Returns the method and the path of a heading such as `## POST /api/chat`, in backticks or not.
fn route_of(heading: &str) -> Option<(String, String)> {
    let words = heading.trim_start_matches('#').replace('`', " ");
    let mut words = words.split_whitespace();
    let method = words.next().filter(|word| ["GET", "POST"].contains(word))?;
    let path = words.next().filter(|word| word.starts_with('/'))?;
    Some((method.to_owned(), path.to_owned()))
}

fn row(line: &str) -> Option<Row> {
    let line = line.replace("\\|", "\u{1}");
    let cells = line.split('|').map(|cell| cell.replace('\u{1}', "|"));
    let cells: Vec<String> = cells.map(|cell| cell.trim().to_owned()).collect();
    let [_, field, example, treatment, ..] = cells.as_slice() else {
        return None;
    };
    Some(Row {
        field: field.trim_matches('`').to_owned(),
        example: example.trim_matches('`').to_owned(),
        treatment: treatment.clone(),
    })
}

impl Table {
    fn title(&self) -> String {
        format!("{}: {} {}", self.file, self.method, self.path)
    }

    /// Returns the model for this table's requests: the one that reads picture files where the request has one.
    pub(crate) fn model(&self) -> &'static str {
        if self.request.contains("PICTURE") {
            TINY_VLM
        } else {
            EVERY_TASK
        }
    }

    /// Reads JSON of the manual, with its words replaced.
    pub(crate) fn json(&self, text: &str, picture: &str) -> Value {
        let url = format!("data:image/png;base64,{picture}");
        let text = text
            .replace("PICTURE_BASE64", picture)
            .replace("PICTURE", &url)
            .replace("MODEL", self.model());
        serde_json::from_str(&text).unwrap_or_else(|error| {
            let start: String = text.chars().take(200).collect();
            panic!("{}: {error}: {start}", self.title())
        })
    }

    /// Sends a request of this table to a model, whose name stands in the path where the manual has it there.
    pub(crate) fn send_to(&self, server: &Served, model: &str, request: &Value) -> Reply {
        let parts = self
            .path
            .split('/')
            .map(|part| if part.starts_with('{') { model } else { part });
        let mut path = parts.collect::<Vec<_>>().join("/");
        if self.file == "tei.md" && model != self.model() {
            path = format!("{path}?model={model}");
        }
        server.post(&path, request)
    }
}

/// Puts a value at a path such as `options.seed` or `messages[0].name`, where `[]` is the first item.
pub(crate) fn set(at: &mut Value, path: &str, value: Value) {
    let (first, rest) = match path.split_once('.') {
        Some((first, rest)) => (first, Some(rest)),
        None => (path, None),
    };
    let (key, index) = match first.split_once('[') {
        Some((key, index)) => {
            let index = index.trim_end_matches(']');
            (key, Some(index.parse::<usize>().unwrap_or(0)))
        }
        None => (first, None),
    };
    if !at.is_object() {
        *at = Value::Object(Map::new());
    }
    let mut place = &mut at[key];
    if let Some(index) = index {
        if !place.is_array() {
            *place = Value::Array(Vec::new());
        }
        let items = place.as_array_mut().unwrap();
        while items.len() <= index {
            items.push(Value::Null);
        }
        place = &mut items[index];
    }
    match rest {
        Some(rest) => set(place, rest, value),
        None => *place = value,
    }
}

/// Reads an answer, of JSON, of lines of JSON or of events, without all that differs from one answer to the next.
pub(crate) fn lasting(reply: &Reply) -> Vec<Value> {
    let text = reply.text();
    let mut values: Vec<Value> = match serde_json::from_str(&text) {
        Ok(value) => vec![value],
        Err(_) => text
            .lines()
            .map(|line| line.strip_prefix("data: ").unwrap_or(line))
            .map(|line| serde_json::from_str(line).unwrap_or_else(|_| Value::from(line)))
            .collect(),
    };
    values.iter_mut().for_each(strip);
    values
}

fn strip(value: &mut Value) {
    match value {
        Value::Object(members) => {
            members.retain(|key, _| {
                !CHANGING.contains(&key.as_str()) && !TIMES.iter().any(|end| key.ends_with(end))
            });
            members.values_mut().for_each(strip);
        }
        Value::Array(items) => items.iter_mut().for_each(strip),
        _ => {}
    }
}

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
                    None => Some("no check of its effect in field_effects.rs".to_owned()),
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
