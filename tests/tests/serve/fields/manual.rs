//! The manual's tables of fields, read from `docs/serve`.
//!
//! A heading with a method and a path begins a route. A block of JSON is a request that works, and each row of the table
//! after it is a field to send with it. `MODEL` is a model's name, `PICTURE` a `data:` address, `PICTURE_BASE64` its bare
//! base64.

use std::fs;
use std::path::PathBuf;

use ampoule_tests::{Reply, Served, workspace_file};
use serde_json::{Map, Value};

use super::server::{EVERY_TASK, TINY_VLM};

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
pub(super) struct Table {
    file: String,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) request: String,
    pub(super) rows: Vec<Row>,
}

pub(super) struct Row {
    pub(super) field: String,
    pub(super) example: String,
    pub(super) treatment: String,
}

/// Reads the tables of all files.
pub(super) fn tables() -> Vec<Table> {
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
    pub(super) fn title(&self) -> String {
        format!("{}: {} {}", self.file, self.method, self.path)
    }

    /// Returns the model for this table's requests: the one that reads picture files where the request has one.
    pub(super) fn model(&self) -> &'static str {
        if self.request.contains("PICTURE") {
            TINY_VLM
        } else {
            EVERY_TASK
        }
    }

    /// Reads JSON of the manual, with its words replaced.
    pub(super) fn json(&self, text: &str, picture: &str) -> Value {
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
    pub(super) fn send_to(&self, server: &Served, model: &str, request: &Value) -> Reply {
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
pub(super) fn set(at: &mut Value, path: &str, value: Value) {
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
pub(super) fn lasting(reply: &Reply) -> Vec<Value> {
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
