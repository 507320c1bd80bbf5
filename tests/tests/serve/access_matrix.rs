//! Every route by every credential. The routes are those that the server describes, and this file has its own table of
//! what each of them needs.

use std::collections::BTreeMap;

use ampoule_access::{KeySettings, Role};
use ampoule_signing::Timestamp;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::guarded::{Answer, Guarded, bearer, scope, token};
use crate::issuers::{self, ISSUERS};

/// Fewer cases than this are no matrix.
const LEAST: usize = 1_500;

const MODEL: &str = "every-task";

/// Need of a route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Needs {
    /// Nothing.
    Nothing,
    /// The permission to read metrics.
    Metrics,
    /// The permission to list; the answer names the models.
    Models,
    /// The permission to list; the answer names no model.
    List,
    /// The permission to list, and the model.
    Model,
    /// The permission to list, the model and the task.
    ModelAndTask(&'static str),
    /// The permission to infer, the model and the task.
    Task(&'static str),
    /// The permission to infer, and then it is refused all the same.
    Operator,
}

/// A credential, and what it is worth.
struct Credential {
    name: &'static str,
    /// Values of `Authorization`.
    authorization: Vec<String>,
    /// Further lines of the head.
    lines: String,
    worth: Worth,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Worth {
    Missing,
    Invalid,
    Known {
        infers: bool,
        lists: bool,
        reads_metrics: bool,
        /// The model is within the key's list.
        has_model: bool,
        /// `None`: all.
        tasks: Option<&'static [&'static str]>,
    },
}

fn known(role: Role) -> Worth {
    Worth::Known {
        infers: matches!(role, Role::Infer | Role::Admin),
        lists: matches!(role, Role::Infer | Role::List | Role::Admin),
        reads_metrics: matches!(role, Role::Metrics | Role::Admin),
        has_model: true,
        tasks: None,
    }
}

const EMBED: &str = "text-embedding";
const GENERATE: &str = "text-generation";
const TOKENIZE: &str = "text-tokenization";

/// Returns the credentials.
fn credentials(server: &Guarded) -> Vec<Credential> {
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
    let seconds = |seconds: i64| Timestamp::from_second(now.as_second() + seconds).unwrap();
    let keys = server.keys();
    let make = |role: Role, change: &dyn Fn(&mut KeySettings)| {
        let mut settings = KeySettings::new(role, "acme".parse().unwrap());
        change(&mut settings);
        let made = if settings.not_after.is_some_and(|end| end < now) {
            seconds(-120)
        } else {
            now
        };
        keys.add(settings, made).unwrap()
    };
    let infer = bearer(&make(Role::Infer, &|_| {}));
    let text = infer.strip_prefix("Bearer ").unwrap();
    let (name, secret) = text.split_at("amp_0123456789abcdef_".len());
    let other = bearer(&make(Role::Infer, &|_| {}));
    let other_secret = &other["Bearer amp_0123456789abcdef_".len()..];
    let last = if secret.ends_with('0') { '1' } else { '0' };
    let flipped = format!("Bearer {name}{}{last}", &secret[..secret.len() - 1]);
    let revoked = make(Role::Admin, &|_| {});
    keys.revoke(&[revoked.record.name], now).unwrap();
    let in_grace = make(Role::Infer, &|_| {});
    let grace = std::time::Duration::from_secs(3_600);
    let successor = keys.rotate(in_grace.record.name, grace, now).unwrap();
    let replaced = make(Role::Admin, &|_| {});
    let now_at_once = std::time::Duration::ZERO;
    keys.rotate(replaced.record.name, now_at_once, now).unwrap();
    let removed = format!("Bearer amp_ffffffffffffffff_{}", "ab".repeat(32));
    let of =
        |role, models: Option<&'static [&'static str]>, tasks: Option<&'static [&'static str]>| {
            bearer(&make(role, &|settings| {
                settings.scope = scope(models, tasks)
            }))
        };
    let within = |role, has: bool, only: Option<&'static [&'static str]>| match known(role) {
        Worth::Known {
            infers,
            lists,
            reads_metrics,
            ..
        } => Worth::Known {
            infers,
            lists,
            reads_metrics,
            has_model: has,
            tasks: only,
        },
        worth => worth,
    };
    let admin_text = bearer(&make(Role::Admin, &|_| {}));
    let (missing, invalid) = (Worth::Missing, Worth::Invalid);
    let unsigned = format!(
        "Bearer {}.{}.",
        STANDARD.encode(r#"{"alg":"none"}"#).replace('=', ""),
        STANDARD.encode(r#"{"sub":"admin"}"#).replace('=', "")
    );
    let ones: Vec<(&'static str, String, Worth)> = vec![
        ("an empty header", String::new(), missing.clone()),
        ("the scheme alone", "Bearer".into(), missing.clone()),
        ("the scheme and blanks", "Bearer   ".into(), missing.clone()),
        ("the key without a scheme", text.into(), invalid.clone()),
        (
            "another scheme",
            format!("Basic {}", STANDARD.encode(format!("key:{text}"))),
            invalid.clone(),
        ),
        (
            "the key as another scheme's",
            format!("Token {text}"),
            invalid.clone(),
        ),
        (
            "a client's stand-in for a key",
            "Bearer ollama".into(),
            invalid.clone(),
        ),
        (
            "a key of another service",
            format!("Bearer sk-{}", "a".repeat(48)),
            invalid.clone(),
        ),
        (
            "a key that was cut",
            infer[..infer.len() - 1].into(),
            invalid.clone(),
        ),
        (
            "a key with a character more",
            format!("{infer}0"),
            invalid.clone(),
        ),
        (
            "a key in capitals",
            format!("Bearer {}", text.to_uppercase()),
            invalid.clone(),
        ),
        (
            "a key and more after it",
            format!("{infer} {text}"),
            invalid.clone(),
        ),
        (
            "a list of keys",
            format!("{infer}, {other}"),
            invalid.clone(),
        ),
        (
            "the name alone",
            format!("Bearer {}", &name[..name.len() - 1]),
            invalid.clone(),
        ),
        ("a name that no key has", removed, invalid.clone()),
        ("a secret with one digit changed", flipped, invalid.clone()),
        (
            "the secret of another key",
            format!("Bearer {name}{other_secret}"),
            invalid.clone(),
        ),
        (
            "a secret of zeros",
            format!("Bearer {name}{}", "0".repeat(64)),
            invalid.clone(),
        ),
        (
            "a credential of nine thousand bytes",
            format!("Bearer {}", "a".repeat(9_000)),
            invalid.clone(),
        ),
        ("an unsigned token", unsigned, invalid.clone()),
        ("a revoked key", bearer(&revoked), invalid.clone()),
        (
            "a key that is over its time",
            bearer(&make(Role::Admin, &|settings| {
                settings.not_after = Some(seconds(-60))
            })),
            invalid.clone(),
        ),
        (
            "a key that was replaced at once",
            bearer(&replaced),
            invalid.clone(),
        ),
        ("a key in its grace", bearer(&in_grace), known(Role::Infer)),
        (
            "a key in the place of another",
            bearer(&successor),
            known(Role::Infer),
        ),
        (
            "a key that ends later",
            bearer(&make(Role::Infer, &|settings| {
                settings.not_after = Some(seconds(3_600))
            })),
            known(Role::Infer),
        ),
        ("role infer", infer.clone(), known(Role::Infer)),
        (
            "the scheme in small letters",
            infer.replace("Bearer", "bearer"),
            known(Role::Infer),
        ),
        ("role list", of(Role::List, None, None), known(Role::List)),
        (
            "role metrics",
            of(Role::Metrics, None, None),
            known(Role::Metrics),
        ),
        ("role admin", admin_text, known(Role::Admin)),
        (
            "another tenant",
            bearer(&make(Role::Infer, &|settings| {
                settings.tenant = "other".parse().unwrap()
            })),
            known(Role::Infer),
        ),
        (
            "another model",
            of(Role::Infer, Some(&["tiny-vlm"]), None),
            within(Role::Infer, false, None),
        ),
        (
            "an administrator of another model",
            of(Role::Admin, Some(&["tiny-*"]), None),
            within(Role::Admin, false, None),
        ),
        (
            "no model",
            of(Role::Infer, Some(&[]), None),
            within(Role::Infer, false, None),
        ),
        (
            "the model's beginning",
            of(Role::Infer, Some(&["every-*"]), None),
            known(Role::Infer),
        ),
        (
            "the model's alias",
            of(Role::Infer, Some(&["acme/every-task"]), None),
            known(Role::Infer),
        ),
        (
            "one task",
            of(Role::Infer, None, Some(&[EMBED])),
            within(Role::Infer, true, Some(&[EMBED])),
        ),
        (
            "another task",
            of(Role::Infer, None, Some(&[GENERATE])),
            within(Role::Infer, true, Some(&[GENERATE])),
        ),
        (
            "no task",
            of(Role::Infer, None, Some(&[])),
            within(Role::Infer, true, Some(&[])),
        ),
    ];
    let mut all: Vec<Credential> = ones
        .into_iter()
        .chain(tokens())
        .map(|(name, authorization, worth)| Credential {
            name,
            authorization: vec![authorization],
            lines: String::new(),
            worth,
        })
        .collect();
    let elsewhere = |name, lines: String| Credential {
        name,
        authorization: Vec::new(),
        lines,
        worth: Worth::Missing,
    };
    all.push(elsewhere("nothing", String::new()));
    all.push(elsewhere(
        "the key in X-Api-Key",
        format!("x-api-key: {text}\r\n"),
    ));
    all.push(elsewhere(
        "the key in a cookie",
        format!("cookie: authorization={text}\r\n"),
    ));
    all.push(elsewhere(
        "the key for a proxy",
        format!("proxy-authorization: {infer}\r\n"),
    ));
    all.push(Credential {
        name: "two headers",
        authorization: vec![infer.clone(), infer],
        lines: String::new(),
        worth: Worth::Invalid,
    });
    // The server looks at the directory once a second.
    server.wait_for(&of(Role::Infer, None, None), 401, false);
    all
}

/// Returns tokens, with what they are worth.
fn tokens() -> Vec<(&'static str, String, Worth)> {
    let none = json!({});
    let all = &["*"][..];
    let mut without_model = known(Role::Infer);
    if let Worth::Known { has_model, .. } = &mut without_model {
        *has_model = false;
    }
    let now = issuers::now();
    let good = token(Role::Admin, all, &none);
    let (signed, _) = good.rsplit_once('.').unwrap();
    let invalid = |name, token| (name, token, Worth::Invalid);
    let role = |name, role| (name, token(role, all, &none), known(role));
    let mut tokens = vec![
        role("a token of role infer", Role::Infer),
        role("a token of role list", Role::List),
        role("a token of role metrics", Role::Metrics),
        role("a token of role admin", Role::Admin),
        (
            "a token for another model",
            token(Role::Infer, &["tiny-vlm"], &none),
            without_model.clone(),
        ),
        (
            "a token for no model",
            token(Role::Infer, &[], &none),
            without_model,
        ),
        invalid(
            "a token that is over its time",
            token(
                Role::Admin,
                all,
                &json!({"iat": now - 600, "exp": now - 60}),
            ),
        ),
        invalid(
            "a token for longer than a session",
            token(Role::Admin, all, &json!({"exp": now + 86_400})),
        ),
        invalid(
            "a token for another audience",
            token(Role::Admin, all, &json!({"aud": "other"})),
        ),
        invalid(
            "a token of an unknown role",
            token(Role::Admin, all, &json!({"role": "root"})),
        ),
        invalid("a token without its signature", format!("{signed}.")),
        invalid(
            "a token with another signature",
            format!("{signed}.{}", "A".repeat(86)),
        ),
    ];
    let names = ["by EdDSA", "by ES256", "by RS256", "by HS256"];
    for (issuer, name) in ISSUERS.iter().zip(names) {
        tokens.push((
            name,
            format!("Bearer {}", issuer.good()),
            known(Role::Infer),
        ));
    }
    tokens
}

/// A request by which a route is asked, and the route's need.
struct Asked {
    path: String,
    body: Value,
    needs: Needs,
}

/// Returns the request for a described route, by this file's own table.
fn asked(method: &str, path: &str) -> Option<Asked> {
    use Needs::{List, Metrics, Model, ModelAndTask, Models, Nothing, Operator, Task};
    let turns = json!([{"role": "user", "content": "one two"}]);
    let named = json!({"model": MODEL});
    let pixels = json!({"width": 1, "height": 1, "pixels": STANDARD.encode([9, 9, 9])});
    let texts = json!({"inputs": [{"name": "texts", "datatype": "BYTES", "shape": [1], "data": ["one"]}],
        "outputs": [{"name": "embeddings"}]});
    let none = Value::Null;
    let by_query = |path: &str| format!("{path}?model={MODEL}");
    let model = path
        .replace("{name}", MODEL)
        .replace("{id}", MODEL)
        .replace("{version}", "1")
        .replace("{digest}", "sha256:0")
        .replace("{file}", "page.js");
    let (path, body, needs) = match (method, path) {
        (
            "get",
            "/" | "/api/version" | "/healthz" | "/readyz" | "/health" | "/openapi.json"
            | "/v2/health/live" | "/v2/health/ready" | "/page/{file}",
        ) => (model, none, Nothing),
        ("get", "/metrics") => (model, none, Metrics),
        (
            "get",
            "/v1/models" | "/api/tags" | "/api/ps" | "/v2/models/stats" | "/ampoule/v1/models",
        ) => (model, none, Models),
        ("post", "/v2/repository/index") => (model, json!({}), Models),
        ("get", "/v2") => (model, none, List),
        (
            "get",
            "/v1/models/{id}"
            | "/ampoule/v1/models/{name}"
            | "/v2/models/{name}"
            | "/v2/models/{name}/ready"
            | "/v2/models/{name}/stats"
            | "/v2/models/{name}/versions/{version}"
            | "/v2/models/{name}/versions/{version}/ready"
            | "/v2/models/{name}/versions/{version}/stats",
        ) => (model, none, Model),
        ("post", "/api/show") => (model, named, Model),
        ("get", "/info") => (by_query(path), none, ModelAndTask(EMBED)),
        ("post", "/v1/embeddings") => (model, json!({"model": MODEL, "input": "one"}), Task(EMBED)),
        ("post", "/v1/chat/completions") => (
            model,
            json!({"model": MODEL, "messages": turns}),
            Task(GENERATE),
        ),
        ("post", "/v1/completions") => (
            model,
            json!({"model": MODEL, "prompt": "one"}),
            Task(GENERATE),
        ),
        ("post", "/v1/responses") => (
            model,
            json!({"model": MODEL, "input": "one"}),
            Task(GENERATE),
        ),
        ("post", "/api/chat") => (
            model,
            json!({"model": MODEL, "messages": turns, "stream": false}),
            Task(GENERATE),
        ),
        ("post", "/api/generate") => (
            model,
            json!({"model": MODEL, "prompt": "one", "stream": false}),
            Task(GENERATE),
        ),
        ("post", "/api/embed") => (model, json!({"model": MODEL, "input": "one"}), Task(EMBED)),
        ("post", "/api/embeddings") => {
            (model, json!({"model": MODEL, "prompt": "one"}), Task(EMBED))
        }
        (
            "post",
            "/api/pull" | "/api/push" | "/api/create" | "/api/copy" | "/api/blobs/{digest}",
        )
        | ("delete", "/api/delete")
        | ("head", "/api/blobs/{digest}") => (model, named, Operator),
        ("post", "/" | "/embed") => (by_query(path), json!({"inputs": "one"}), Task(EMBED)),
        ("post", "/tokenize") => (by_query(path), json!({"inputs": "one"}), Task(TOKENIZE)),
        ("post", "/v2/models/{name}/infer" | "/v2/models/{name}/versions/{version}/infer") => {
            (model, texts, Task(EMBED))
        }
        ("post", "/ampoule/v1/models/{name}/text-embedding") => {
            (model, json!({"texts": ["one"]}), Task(EMBED))
        }
        ("post", "/ampoule/v1/models/{name}/text-tokenization") => {
            (model, json!({"texts": ["one"]}), Task(TOKENIZE))
        }
        ("post", "/ampoule/v1/models/{name}/text-generation") => {
            (model, json!({"prompt": "one"}), Task(GENERATE))
        }
        ("post", "/ampoule/v1/models/{name}/image-embedding") => {
            (model, json!({"images": [pixels]}), Task("image-embedding"))
        }
        ("post", "/ampoule/v1/models/{name}/image-classification") => (
            model,
            json!({"image": pixels}),
            Task("image-classification"),
        ),
        _ => return None,
    };
    Some(Asked { path, body, needs })
}

impl Needs {
    /// Returns the permission's name in the description of the routes.
    fn permission(self) -> &'static str {
        match self {
            Self::Nothing => "public",
            Self::Metrics => "metrics",
            Self::Models | Self::List | Self::Model | Self::ModelAndTask(_) => "list",
            Self::Task(_) | Self::Operator => "infer",
        }
    }

    /// Returns the status that a request has, and the code of its error.
    fn expected(self, worth: &Worth) -> (u16, Option<&'static str>) {
        if self == Self::Nothing {
            return (200, None);
        }
        let (infers, lists, reads_metrics, has_model, tasks) = match worth {
            Worth::Missing => return (401, Some("auth.missing")),
            Worth::Invalid => return (401, Some("auth.invalid")),
            Worth::Known {
                infers,
                lists,
                reads_metrics,
                has_model,
                tasks,
            } => (*infers, *lists, *reads_metrics, *has_model, *tasks),
        };
        let may = match self.permission() {
            "metrics" => reads_metrics,
            "list" => lists,
            _ => infers,
        };
        let does = |task| tasks.is_none_or(|tasks| tasks.contains(&task));
        match self {
            _ if !may => (403, Some("auth.forbidden")),
            Self::Operator => (403, Some("route.operator")),
            Self::Model | Self::ModelAndTask(_) | Self::Task(_) if !has_model => {
                (404, Some("model.unknown"))
            }
            Self::ModelAndTask(task) | Self::Task(task) if !does(task) => (400, None),
            _ => (200, None),
        }
    }
}

/// Returns the code of an error in the form of the path's family. It panics where the form is another.
#[track_caller]
fn code_of(path: &str, answer: &Answer) -> Option<String> {
    let body = answer.json();
    let is_text = |value: &Value| assert!(value.is_string(), "{path}: {body}");
    let first = path.trim_start_matches('/').split(['/', '?']).next();
    match first {
        Some("v1") => {
            let error = &body["error"];
            is_text(&error["message"]);
            is_text(&error["type"]);
            assert!(error.get("param").is_some(), "{body}");
            let code = error["code"].as_str().unwrap();
            // Both kinds of 401 have OpenAI's own word.
            (code != "invalid_api_key" && code != "model_not_found").then(|| code.to_owned())
        }
        Some("api" | "v2") => {
            is_text(&body["error"]);
            None
        }
        Some("" | "embed" | "tokenize" | "info") => {
            is_text(&body["error"]);
            is_text(&body["error_type"]);
            None
        }
        _ => {
            is_text(&body["error"]["message"]);
            Some(body["error"]["code"].as_str().unwrap().to_owned())
        }
    }
}

#[test]
#[allow(clippy::print_stdout, reason = "a test prints what it counted")]
fn every_route_lets_in_the_credentials_that_its_rule_names_and_no_other() {
    let server = Guarded::get();
    let document = server.ask("GET", "/openapi.json", &[], "").json();
    let mut operations: Vec<(String, String, String)> = Vec::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let permission = operation["x-ampoule-permission"].as_str().unwrap();
            operations.push((method.clone(), path.clone(), permission.to_owned()));
            let needs_key = !operation["security"].is_null();
            assert_eq!(needs_key, permission != "public", "{method} {path}");
        }
    }
    operations.push(("get".into(), "/page/{file}".into(), "public".into()));
    let credentials = credentials(&server);

    let mut cases = 0;
    let mut faults = Vec::new();
    for (method, path, permission) in &operations {
        let asked = asked(method, path);
        let asked = asked.unwrap_or_else(|| panic!("this table lacks {method} {path}"));
        assert_eq!(asked.needs.permission(), permission, "{method} {path}");
        let body = match &asked.body {
            Value::Null => String::new(),
            body => body.to_string(),
        };
        // One answer for all credentials that are not accepted, whatever the reason is.
        let mut invalid = BTreeMap::new();
        for credential in &credentials {
            let values: Vec<String> = credential
                .authorization
                .iter()
                .map(|value| format!("authorization: {value}\r\n"))
                .collect();
            let lines = values.concat() + &credential.lines;
            let (status, code) = asked.needs.expected(&credential.worth);
            let mut methods = vec![method.to_uppercase()];
            if method == "get" {
                methods.push("HEAD".to_owned());
            }
            for method in methods {
                cases += 1;
                let answer = server.ask_with(&method, &asked.path, &lines, &body);
                let case = format!("{method} {path} by {}", credential.name);
                if answer.status != status {
                    faults.push(format!("{case}: {} and not {status}", answer.status));
                    continue;
                }
                let challenge = answer.header("www-authenticate");
                let is_denied = code.is_some_and(|code| code.starts_with("auth."));
                assert_eq!(challenge.starts_with("bearer realm="), is_denied, "{case}");
                if method == "HEAD" || answer.body.is_empty() {
                    continue;
                }
                if let Some(code) = code {
                    let found = code_of(&asked.path, &answer);
                    assert!(
                        found.is_none_or(|found| found == code),
                        "{case}: {answer:?}"
                    );
                }
                if credential.worth == Worth::Invalid && status == 401 {
                    invalid.insert(answer.body.clone(), case.clone());
                }
                if asked.needs == Needs::Models && status == 200 {
                    let has_model = matches!(
                        credential.worth,
                        Worth::Known {
                            has_model: true,
                            ..
                        }
                    );
                    assert_eq!(answer.body.contains(MODEL), has_model, "{case}");
                }
            }
        }
        assert!(invalid.len() <= 1, "{invalid:#?}");
    }
    println!(
        "{cases} cases: {} routes, {} credentials",
        operations.len(),
        credentials.len()
    );
    assert!(faults.is_empty(), "{faults:#?}");
    assert!(cases >= LEAST, "{cases}");
}
