//! JSON as text, which may say what a value in memory cannot: the same name twice.

use serde_json::Value;

/// The document in one line. The member at the pointer `twice` stands there twice.
pub(super) fn text(document: &Value, twice: Option<&str>) -> String {
    let mut text = String::new();
    write(document, "", twice, &mut text);
    text
}

fn write(value: &Value, pointer: &str, twice: Option<&str>, text: &mut String) {
    match value {
        Value::Object(members) => {
            text.push('{');
            let mut comma = "";
            for (name, member) in members {
                let pointer = format!("{pointer}/{name}");
                let times = 1 + usize::from(twice == Some(&pointer));
                for _ in 0..times {
                    text.push_str(comma);
                    comma = ",";
                    text.push_str(&Value::from(name.as_str()).to_string());
                    text.push(':');
                    write(member, &pointer, twice, text);
                }
            }
            text.push('}');
        }
        Value::Array(items) => {
            text.push('[');
            for (place, item) in items.iter().enumerate() {
                text.push_str(if place == 0 { "" } else { "," });
                write(item, &format!("{pointer}/{place}"), twice, text);
            }
            text.push(']');
        }
        leaf => text.push_str(&leaf.to_string()),
    }
}
