//! The places of requests that a caller chooses, each with a mark in place of a secret.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use miniz_oxide::deflate::compress_to_vec;
use serde_json::{Value, json};

/// Stands for the secret in a request.
pub(super) const MARK: &str = "QQMARKQQ";

/// Stands for the caller's key.
pub(super) const KEY: &str = "QQKEYQQ";

/// Stands for the length of the body with its secret.
pub(super) const LENGTH: &str = "QQLENGTHQQ";

/// Names of the models that repeat their input when they crash, and when they refuse it.
pub(super) const PANICS: &str = "panics";
pub(super) const REFUSES: &str = "refuses";

/// A request with a mark in one place.
pub(super) struct Place {
    pub(super) name: String,
    pub(super) request: Vec<u8>,
    pub(super) echo: Echo,
}

/// The rule for a place's words in its own answer. They are never in anything else.
#[derive(Clone, Copy)]
pub(super) enum Echo {
    Never,
    /// The protocol has the field in its answer, or the answer is the model's and the model repeats it.
    InAnswer,
}

/// A good request of each family that computes something.
const FAMILIES: [(&str, &str, &str); 5] = [
    (
        "openai",
        "/v1/chat/completions",
        r#"{"model":"every-task","messages":[{"role":"user","content":"one"}]}"#,
    ),
    (
        "ollama",
        "/api/chat",
        r#"{"model":"every-task","messages":[{"role":"user","content":"one"}],"stream":false}"#,
    ),
    (
        "inference",
        "/v2/models/every-task/infer",
        r#"{"inputs":[{"name":"texts","datatype":"BYTES","shape":[1],"data":["one"]}],"parameters":{"task":"text-embedding"}}"#,
    ),
    ("tei", "/embed", r#"{"inputs":"one"}"#),
    (
        "native",
        "/ampoule/v1/models/every-task/text-embedding",
        r#"{"texts":["one"]}"#,
    ),
];

pub(super) fn marked() -> String {
    MARK.to_owned()
}

/// Makes a request.
fn request(line: &str, headers: &str, body: &[u8]) -> Vec<u8> {
    let host = if has_header(headers, "host") {
        ""
    } else {
        "host: localhost\r\n"
    };
    let key = if has_header(headers, "authorization") {
        String::new()
    } else {
        format!("authorization: Bearer {KEY}\r\n")
    };
    let length = if has_header(headers, "transfer-encoding") || body.is_empty() {
        String::new()
    } else {
        format!("content-length: {LENGTH}\r\n")
    };
    let head = format!("{line} HTTP/1.1\r\n{host}{key}connection: close\r\n{length}{headers}\r\n");
    [head.as_bytes(), body].concat()
}

fn has_header(headers: &str, name: &str) -> bool {
    headers
        .lines()
        .any(|line| line.to_lowercase().starts_with(&format!("{name}:")))
}

pub(super) fn post(path: &str, body: &str) -> Vec<u8> {
    let json = "content-type: application/json\r\n";
    request(&format!("POST {path}"), json, body.as_bytes())
}

struct Places(Vec<Place>);

impl Places {
    fn add(&mut self, name: impl Into<String>, request: Vec<u8>, echo: Echo) {
        let name = name.into();
        self.0.push(Place {
            name,
            request,
            echo,
        });
    }

    fn never(&mut self, name: impl Into<String>, request: Vec<u8>) {
        self.add(name, request, Echo::Never);
    }

    /// Adds a body of JSON that is as a good one but for one member.
    fn body(&mut self, name: &str, path: &str, body: &Value) {
        self.never(name, post(path, &body.to_string()));
    }
}

pub(super) fn all() -> Vec<Place> {
    let mut places = Places(Vec::new());
    headers(&mut places);
    addresses(&mut places);
    bytes(&mut places);
    openai(&mut places);
    ollama(&mut places);
    inference(&mut places);
    tei(&mut places);
    native(&mut places);
    guests(&mut places);
    answered(&mut places);
    places.0
}

/// Heads of good requests of each family, with the mark in one header.
fn headers(places: &mut Places) {
    let headers = [
        ("an unknown key", "authorization: Bearer amp_QQMARKQQ"),
        ("a token", "authorization: Bearer a.QQMARKQQ.c"),
        ("another scheme", "authorization: Basic QQMARKQQ"),
        ("x-api-key", "x-api-key: QQMARKQQ"),
        ("cookie", "cookie: session=QQMARKQQ"),
        ("a header's value", "x-tenant: QQMARKQQ"),
        ("a header's name", "x-QQMARKQQ: 1"),
        ("user-agent", "user-agent: QQMARKQQ/1"),
        ("referer", "referer: http://localhost/QQMARKQQ"),
        ("origin", "origin: http://QQMARKQQ.example"),
        ("host", "host: QQMARKQQ.example"),
        ("forwarded", "forwarded: for=QQMARKQQ;host=QQMARKQQ"),
        ("x-forwarded-for", "x-forwarded-for: QQMARKQQ"),
        ("accept", "accept: application/QQMARKQQ"),
        ("content-type", "content-type: application/QQMARKQQ"),
        (
            "a form's boundary",
            "content-type: multipart/form-data; boundary=QQMARKQQ",
        ),
        ("content-encoding", "content-encoding: QQMARKQQ"),
        ("expect", "expect: QQMARKQQ"),
        ("a request id that is not plain", "x-request-id: a QQMARKQQ"),
        ("traceparent", "traceparent: QQMARKQQ"),
        ("baggage", "baggage: user=QQMARKQQ"),
        (
            "inference-header-content-length",
            "inference-header-content-length: QQMARKQQ",
        ),
        ("range", "range: QQMARKQQ"),
        ("if-none-match", "if-none-match: \"QQMARKQQ\""),
        ("an OpenAI header", "openai-organization: QQMARKQQ"),
    ];
    for (family, path, body) in FAMILIES {
        for (name, header) in headers {
            let line = format!("POST {path}");
            let request = request(&line, &format!("{header}\r\n"), body.as_bytes());
            places.never(format!("{family}: {name}"), request);
        }
    }
}

/// First lines with the mark.
fn addresses(places: &mut Places) {
    for (family, path, body) in FAMILIES {
        let query = post(&format!("{path}?api_key=QQMARKQQ"), body);
        places.never(format!("{family}: query"), query);
        let fragment = post(&format!("{path}/QQMARKQQ"), body);
        places.never(format!("{family}: a path below a route"), fragment);
        let line = format!("QQMARKQQ {path}");
        places.never(format!("{family}: method"), request(&line, "", b""));
    }
    for path in [
        "/QQMARKQQ",
        "/v1/QQMARKQQ",
        "/v1/v1/QQMARKQQ",
        "/api/QQMARKQQ",
        "/api/blobs/QQMARKQQ",
        "/v2/QQMARKQQ",
        "/ampoule/v1/QQMARKQQ",
        "/page/QQMARKQQ",
        "/v1/models/QQMARKQQ",
        "/v2/models/QQMARKQQ",
        "/v2/models/QQMARKQQ/ready",
        "/v2/models/QQMARKQQ/stats",
        "/v2/models/every-task/QQMARKQQ",
        "/v2/models/every-task/versions/QQMARKQQ",
        "/ampoule/v1/models/QQMARKQQ",
        "/info?model=QQMARKQQ",
        "/%2e%2e/QQMARKQQ",
        "//QQMARKQQ//",
        "/a%0AQQMARKQQ",
        "/%ff/QQMARKQQ",
        "http://localhost/QQMARKQQ",
    ] {
        let line = format!("GET {path}");
        places.never(format!("GET {path}"), request(&line, "", b""));
    }
    for path in [
        "/v2/models/QQMARKQQ/infer",
        "/embed?model=QQMARKQQ",
        "/ampoule/v1/models/QQMARKQQ/text-embedding",
        "/ampoule/v1/models/every-task/QQMARKQQ",
    ] {
        places.never(
            format!("POST {path}"),
            post(path, r#"{"inputs":"a","texts":["a"]}"#),
        );
    }
    for route in ["pull", "push", "create", "copy"] {
        let path = format!("/api/{route}");
        let body = json!({"model": "QQMARKQQ", "source": "QQMARKQQ", "from": "QQMARKQQ"});
        places.body(&format!("ollama: {route}"), &path, &body);
    }
    let delete = request("DELETE /api/delete", "", br#"{"model":"QQMARKQQ"}"#);
    places.never("ollama: delete", delete);
    places.never("no HTTP", b"QQMARKQQ QQMARKQQ\r\n\r\n".to_vec());
    places.never(
        "a version that is none",
        b"GET / QQMARKQQ/1.1\r\nhost: localhost\r\n\r\n".to_vec(),
    );
    let long = format!("GET /QQMARKQQ{} HTTP/1.1\r\n\r\n", "a".repeat(70_000));
    places.never("a long address", long.into_bytes());
    let many = "x-QQMARKQQ: QQMARKQQ\r\n".repeat(200);
    places.never("many headers", request("GET /", &many, b""));
}

/// Bodies that are broken in ways that all families share.
fn bytes(places: &mut Places) {
    let chunked = "transfer-encoding: chunked\r\ncontent-type: application/json\r\n";
    let gzip = "content-encoding: gzip\r\n";
    for (family, path, body) in FAMILIES {
        let line = format!("POST {path}");
        let size = body.len();
        for (name, headers, body) in [
            ("broken JSON", "", br#"{"QQMARKQQ"#.to_vec()),
            ("JSON that is none", "", b"QQMARKQQ".to_vec()),
            ("a text for an object", "", br#""QQMARKQQ""#.to_vec()),
            ("a list for an object", "", br#"["QQMARKQQ"]"#.to_vec()),
            ("bytes after JSON", "", format!("{body} QQMARKQQ").into()),
            ("no UTF-8", "", b"{\"model\": \"QQMARKQQ\xff\"}".to_vec()),
            (
                "a broken escape",
                "",
                br#"{"model": "QQMARKQQ\x"}"#.to_vec(),
            ),
            ("a value of a wrong type", "", wrong_type(body)),
            ("gzip that is none", gzip, b"QQMARKQQ".to_vec()),
            (
                "a trailer",
                chunked,
                format!("{size:x}\r\n{body}\r\n0\r\nx-QQMARKQQ: QQMARKQQ\r\n\r\n").into(),
            ),
            (
                "a chunk's extension",
                chunked,
                format!("{size:x};QQMARKQQ=QQMARKQQ\r\n{body}\r\n0\r\n\r\n").into(),
            ),
            (
                "a chunk's length",
                chunked,
                b"QQMARKQQ\r\n{}\r\n0\r\n\r\n".to_vec(),
            ),
        ] {
            let request = request(&line, headers, &body);
            places.never(format!("{family}: {name}"), request);
        }
        let mut member = Vec::from(GZIP_HEAD);
        // The secret within is as it stands: a stored block has the bytes themselves.
        member.extend(compress_to_vec(br#"{"QQMARKQQ": QQMARKQQ}"#, 0));
        let request = request(&line, gzip, &member);
        places.never(format!("{family}: a packed body"), request);
    }
}

/// The head of a gzip member without a name.
const GZIP_HEAD: [u8; 10] = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 255];

/// Returns a body whose members are all marked texts, so that the first one of another type is at fault.
fn wrong_type(body: &str) -> Vec<u8> {
    let body: Value = serde_json::from_str(body).unwrap();
    let members = body.as_object().unwrap().keys();
    let mut wrong: serde_json::Map<_, _> = members
        .map(|name| (name.clone(), json!({"QQMARKQQ": "QQMARKQQ"})))
        .collect();
    wrong.insert("QQMARKQQ".to_owned(), json!("QQMARKQQ"));
    Value::from(wrong).to_string().into_bytes()
}

/// Returns a JSON object with further members.
fn with(body: &str, more: &Value) -> Value {
    let mut body: Value = serde_json::from_str(body).unwrap();
    let more = more.as_object().unwrap().clone();
    body.as_object_mut().unwrap().extend(more);
    body
}

fn openai(places: &mut Places) {
    let (_, path, good) = FAMILIES[0];
    let user = |content: Value| json!([{"role": "user", "content": content}]);
    let image = |url: &str| user(json!([{"type": "image_url", "image_url": {"url": url}}]));
    for (name, more) in [
        ("model", json!({"model": "QQMARKQQ"})),
        ("an unknown member", json!({"QQMARKQQ": "QQMARKQQ"})),
        ("a number", json!({"n": "QQMARKQQ"})),
        ("temperature", json!({"temperature": "QQMARKQQ"})),
        ("a truth value", json!({"stream": "QQMARKQQ"})),
        (
            "role",
            json!({"messages": [{"role": "QQMARKQQ", "content": "a"}]}),
        ),
        (
            "a part's type",
            json!({"messages": user(json!([{"type": "QQMARKQQ"}]))}),
        ),
        ("content", json!({"messages": user(json!({"QQMARKQQ": 1}))})),
        (
            "a picture's address",
            json!({"messages": image("https://QQMARKQQ.example/a.png")}),
        ),
        (
            "a picture's media type",
            json!({"messages": image("data:QQMARKQQ;base64,AAAA")}),
        ),
        (
            "a picture's bytes",
            json!({"messages": image("data:image/png;base64,QQMARKQQ")}),
        ),
        (
            "a picture's base64",
            json!({"messages": image("data:image/png;base64,QQMARKQQ!")}),
        ),
        (
            "tools",
            json!({"tools": [{"type": "function", "function": {"name": "QQMARKQQ"}}]}),
        ),
        ("tool_choice", json!({"tool_choice": "QQMARKQQ"})),
        (
            "response_format",
            json!({"response_format": {"type": "QQMARKQQ"}}),
        ),
        ("logit_bias", json!({"logit_bias": {"QQMARKQQ": 1}})),
        ("stop of a wrong type", json!({"stop": {"QQMARKQQ": 1}})),
        (
            "too many stop strings",
            json!({"stop": vec!["QQMARKQQ"; 300]}),
        ),
        (
            "stream_options",
            json!({"stream_options": {"include_usage": "QQMARKQQ"}}),
        ),
    ] {
        places.body(&format!("openai: {name}"), path, &with(good, &more));
    }
    let long = "QQMARKQQ ".repeat(5_000);
    places.body(
        "openai: a long prompt",
        path,
        &with(good, &json!({"messages": user(json!(long))})),
    );
    let embeddings = r#"{"model":"every-task","input":"a"}"#;
    for (name, more) in [
        ("encoding_format", json!({"encoding_format": "QQMARKQQ"})),
        ("dimensions", json!({"dimensions": "QQMARKQQ"})),
        ("input", json!({"input": {"QQMARKQQ": 1}})),
        (
            "an item of input",
            json!({"input": ["QQMARKQQ", {"QQMARKQQ": 1}]}),
        ),
    ] {
        let body = with(embeddings, &more);
        places.body(
            &format!("openai: {name} of embeddings"),
            "/v1/embeddings",
            &body,
        );
    }
    let responses = r#"{"model":"every-task","input":"a"}"#;
    for (name, more) in [
        ("an item's type", json!({"input": [{"type": "QQMARKQQ"}]})),
        (
            "previous_response_id",
            json!({"previous_response_id": "QQMARKQQ"}),
        ),
        (
            "metadata of a wrong type",
            json!({"metadata": {"QQMARKQQ": 1}}),
        ),
        (
            "much metadata",
            json!({"metadata": {"QQMARKQQ": "QQMARKQQ".repeat(400)}}),
        ),
        ("text", json!({"text": {"format": {"type": "QQMARKQQ"}}})),
        ("include", json!({"include": ["QQMARKQQ"]})),
    ] {
        let body = with(responses, &more);
        places.body(
            &format!("openai: {name} of a response"),
            "/v1/responses",
            &body,
        );
    }
    let prompt = json!({"model": "every-task", "prompt": [{"QQMARKQQ": 1}]});
    places.body("openai: prompt of a completion", "/v1/completions", &prompt);
}

fn ollama(places: &mut Places) {
    let (_, path, good) = FAMILIES[1];
    for (name, more) in [
        ("model", json!({"model": "QQMARKQQ"})),
        ("an option", json!({"options": {"temperature": "QQMARKQQ"}})),
        (
            "an option's name",
            json!({"options": {"QQMARKQQ": 1, "mirostat": 1}}),
        ),
        (
            "a picture",
            json!({"messages": [{"role": "user", "content": "a", "images": ["QQMARKQQ!"]}]}),
        ),
        (
            "tools",
            json!({"tools": [{"function": {"name": "QQMARKQQ"}}]}),
        ),
        (
            "a tool's call",
            json!({"messages": [{"role": "user", "content": "a", "tool_name": "QQMARKQQ"}]}),
        ),
        ("format", json!({"format": "QQMARKQQ"})),
        (
            "role",
            json!({"messages": [{"role": "QQMARKQQ", "content": "a"}]}),
        ),
    ] {
        places.body(&format!("ollama: {name}"), path, &with(good, &more));
    }
    for (name, path, body) in [
        ("show", "/api/show", json!({"model": "QQMARKQQ"})),
        (
            "embed",
            "/api/embed",
            json!({"model": "QQMARKQQ", "input": "a"}),
        ),
        (
            "input",
            "/api/embed",
            json!({"model": "every-task", "input": [{"QQMARKQQ": 1}]}),
        ),
        (
            "no text",
            "/api/chat",
            json!({"model": "refuses", "messages": [], "QQMARKQQ": 1}),
        ),
        (
            "template",
            "/api/generate",
            json!({"model": "every-task", "prompt": "a", "template": "QQMARKQQ"}),
        ),
    ] {
        places.body(&format!("ollama: a word of {name}"), path, &body);
    }
}

fn inference(places: &mut Places) {
    let (_, path, _) = FAMILIES[2];
    let input = |name: &str, datatype: &str, data: Value| json!({"name": name, "datatype": datatype, "shape": [1], "data": data});
    let good = input("texts", "BYTES", json!(["a"]));
    for (name, body) in [
        (
            "a tensor's name",
            json!({"inputs": [input("QQMARKQQ", "BYTES", json!(["a"]))]}),
        ),
        (
            "datatype",
            json!({"inputs": [input("texts", "QQMARKQQ", json!(["a"]))]}),
        ),
        (
            "data",
            json!({"inputs": [input("texts", "BYTES", json!("QQMARKQQ"))]}),
        ),
        (
            "data of a wrong kind",
            json!({"inputs": [input("pixels", "UINT8", json!(["QQMARKQQ"]))]}),
        ),
        (
            "shape",
            json!({"inputs": [{"name": "texts", "datatype": "BYTES", "shape": "QQMARKQQ"}]}),
        ),
        (
            "a parameter's name",
            json!({"inputs": [good], "parameters": {"task": "text-embedding", "QQMARKQQ": 1}}),
        ),
        (
            "a parameter's value",
            json!({"inputs": [good], "parameters": {"task": "QQMARKQQ"}}),
        ),
        (
            "a parameter of a wrong kind",
            json!({"inputs": [good], "parameters": {"timeout": "QQMARKQQ"}}),
        ),
        (
            "an output",
            json!({"inputs": [good], "outputs": [{"name": "QQMARKQQ"}]}),
        ),
        (
            "shared memory",
            json!({"inputs": [{"name": "texts", "datatype": "BYTES", "shape": [1],
            "parameters": {"shared_memory_region": "QQMARKQQ"}}]}),
        ),
        (
            "a long id",
            json!({"id": "QQMARKQQ".repeat(300), "inputs": [good]}),
        ),
    ] {
        places.body(&format!("inference: {name}"), path, &body);
    }
    let json = br#"{"inputs":[{"name":"texts","datatype":"BYTES","shape":[1],"parameters":{"binary_data_size":8}}]}"#;
    let header = format!("inference-header-content-length: {}\r\n", json.len());
    let line = format!("POST {path}");
    for (name, tail) in [
        ("bytes of a tensor", &b"QQMARKQQ"[..]),
        ("bytes after the tensors", b"\x04\0\0\0abcdQQMARKQQ"),
        ("a text that is no UTF-8", b"\x04\0\0\0ab\xff\xfeQQMARKQQ"),
    ] {
        let request = request(&line, &header, &[&json[..], tail].concat());
        places.never(format!("inference: {name}"), request);
    }
    let raw = request(&line, "inference-header-content-length: 0\r\n", b"QQMARKQQ");
    places.never("inference: a raw body", raw);
    let cut = request(
        &line,
        "inference-header-content-length: 12\r\n",
        br#"{"QQMARKQQ": 1}"#,
    );
    places.never("inference: JSON that is cut by its header", cut);
}

fn tei(places: &mut Places) {
    for (name, path, body) in [
        ("inputs", "/embed", json!({"inputs": {"QQMARKQQ": 1}})),
        ("token ids", "/embed", json!({"inputs": [["QQMARKQQ"]]})),
        (
            "direction",
            "/embed",
            json!({"inputs": "a", "truncation_direction": "QQMARKQQ"}),
        ),
        (
            "prompt_name",
            "/tokenize",
            json!({"inputs": "a", "prompt_name": "QQMARKQQ"}),
        ),
        (
            "a truth value",
            "/embed",
            json!({"inputs": "a", "normalize": "QQMARKQQ"}),
        ),
        ("the root", "/", json!({"inputs": {"QQMARKQQ": 1}})),
        (
            "a route that is not here",
            "/rerank",
            json!({"query": "QQMARKQQ", "texts": ["QQMARKQQ"]}),
        ),
    ] {
        places.body(&format!("tei: {name}"), path, &body);
    }
}

fn native(places: &mut Places) {
    let at = |task: &str| format!("/ampoule/v1/models/every-task/{task}");
    for (name, task, body) in [
        (
            "an unknown field",
            "text-embedding",
            json!({"texts": ["a"], "QQMARKQQ": 1}),
        ),
        (
            "a field below",
            "text-embedding",
            json!({"texts": ["a"], "limits": {"QQMARKQQ": 1}}),
        ),
        (
            "a limit",
            "text-embedding",
            json!({"texts": ["a"], "limits": {"fuel": "QQMARKQQ"}}),
        ),
        ("texts", "text-embedding", json!({"texts": "QQMARKQQ"})),
        (
            "an option",
            "text-generation",
            json!({"prompt": "a", "options": {"QQMARKQQ": "QQMARKQQ"}}),
        ),
        (
            "an option of a wrong type",
            "text-generation",
            json!({"prompt": "a", "options": {"QQMARKQQ": 1}}),
        ),
        (
            "a part's kind",
            "text-generation",
            json!({"messages": [{"role": "user", "content": [{"QQMARKQQ": "a"}]}]}),
        ),
        (
            "pixels",
            "image-classification",
            json!({"image": {"width": 1, "height": 1, "pixels": "QQMARKQQ!"}}),
        ),
    ] {
        places.body(&format!("native: {name}"), &at(task), &body);
    }
    let form = "content-type: multipart/form-data; boundary=b\r\n";
    let part = |disposition: &str, body: &str| {
        format!("--b\r\ncontent-disposition: form-data; {disposition}\r\n\r\n{body}\r\n--b--\r\n")
    };
    let line = "POST /ampoule/v1/models/tiny-vlm/image-classification";
    for (name, body) in [
        (
            "a file's name",
            part("name=\"image\"; filename=\"QQMARKQQ.png\"", "x"),
        ),
        ("a part's name", part("name=\"QQMARKQQ\"", "x")),
        ("a picture file", part("name=\"image\"", "QQMARKQQ")),
        (
            "a part of JSON",
            part("name=\"request\"", "{\"QQMARKQQ\": QQMARKQQ}"),
        ),
        (
            "a part that is cut",
            "--b\r\ncontent-disposition: form-data; name=\"QQMARKQQ".to_owned(),
        ),
        (
            "a header of a part",
            "--b\r\nQQMARKQQ\r\n\r\nx\r\n--b--\r\n".to_owned(),
        ),
    ] {
        places.never(
            format!("form: {name}"),
            request(line, form, body.as_bytes()),
        );
    }
}

/// Inputs that guests repeat: in a panic, in the message of a refusal, and as its code.
fn guests(places: &mut Places) {
    for model in [PANICS, REFUSES] {
        for text in ["QQMARKQQ", "input.QQMARKQQ"] {
            let at = |path: &str| path.replace("MODEL", model);
            for (path, body) in [
                ("/v1/embeddings", json!({"model": model, "input": text})),
                ("/api/embed", json!({"model": model, "input": text})),
                (
                    "/v2/models/MODEL/infer",
                    json!({"inputs": [{"name": "texts", "datatype": "BYTES", "shape": [1], "data": [text]}]}),
                ),
                ("/embed?model=MODEL", json!({"inputs": text})),
                (
                    "/ampoule/v1/models/MODEL/text-embedding",
                    json!({"texts": [text]}),
                ),
            ] {
                let path = at(path);
                places.body(
                    &format!("a guest that {model}: {text} by {path}"),
                    &path,
                    &body,
                );
            }
        }
    }
}

/// Answers with words of their request, and nothing else has them. The name of a model that is served is no secret, so
/// the members `model` are not here.
fn answered(places: &mut Places) {
    for (name, path, body) in [
        (
            "the words of the model",
            "/v1/chat/completions",
            with(
                FAMILIES[0].2,
                &json!({"messages": [{"role": "user", "content": "QQMARKQQ"}]}),
            ),
        ),
        (
            "the words of the model, streamed",
            "/v1/chat/completions",
            with(
                FAMILIES[0].2,
                &json!({"messages": [{"role": "user", "content": "QQMARKQQ"}], "stream": true}),
            ),
        ),
        (
            "the id of an inference",
            "/v2/models/every-task/infer",
            with(FAMILIES[2].2, &json!({"id": "QQMARKQQ"})),
        ),
        (
            "the metadata of a response",
            "/v1/responses",
            json!({"model": "every-task", "input": "a", "metadata": {"QQMARKQQ": "QQMARKQQ"}}),
        ),
        (
            "the instructions of a response",
            "/v1/responses",
            json!({"model": "every-task", "input": "a", "instructions": "QQMARKQQ"}),
        ),
    ] {
        places.add(name, post(path, &body.to_string()), Echo::InAnswer);
    }
    // Nothing of an input is in a vector.
    let embedded = json!({"model": "every-task", "input": ["QQMARKQQ"], "user": "QQMARKQQ"});
    places.body("a text that is embedded", "/v1/embeddings", &embedded);
    let picture = STANDARD.encode("QQMARKQQ");
    let unread = json!({"model": "tiny-vlm", "messages": [{"role": "user", "content": "a", "images": [picture]}]});
    places.body("bytes that are no picture", "/api/chat", &unread);
}
