//! Silence before the first token, by each route that streams a generation: the status waits for a moment, then pieces
//! without text say that the model is at work.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use ampoule::Limits;
use ampoule_server::ServiceSettings;
use ampoule_tests::{
    Publisher, ServedHere, block_on, host_with_limits, read_answer, stream_events, wat_guest,
};
use serde_json::{Value, json};

use crate::gone_clients::frees_its_sandbox;

/// Silence after which a stream begins, and has a piece without text.
const SILENCE: Duration = Duration::from_millis(100);

/// Time that no test takes.
const LONG: Duration = Duration::from_secs(60);

/// Kinds of silence of the guest `thinks_first`, by `top_k`.
const GENERATE_NEVER_RETURNS: u64 = 1;
const NEXT_NEVER_RETURNS: u64 = 2;
const GENERATE_SLEEPS: u64 = 3;
const NEXT_SLEEPS: u64 = 4;

const CHAT: &str = "/v1/chat/completions";
const COMPLETIONS: &str = "/v1/completions";
const RESPONSES: &str = "/v1/responses";
const OLLAMA_CHAT: &str = "/api/chat";
const OLLAMA_GENERATE: &str = "/api/generate";
const NATIVE: &str = "/ampoule/v1/models/model/text-generation";

const ROUTES: [&str; 6] = [
    CHAT,
    COMPLETIONS,
    RESPONSES,
    OLLAMA_CHAT,
    OLLAMA_GENERATE,
    NATIVE,
];

/// Makes a request to a route for a silence of this kind and length.
fn request(path: &str, kind: u64, silence: Duration, is_streamed: bool) -> Value {
    let most = u64::try_from(silence.as_millis()).unwrap();
    let messages = json!([{"role": "user", "content": "x"}]);
    let mut request = match path {
        CHAT => json!({"messages": messages, "max_tokens": most, "top_k": kind}),
        COMPLETIONS => json!({"prompt": "x", "max_tokens": most, "top_k": kind}),
        RESPONSES => json!({"input": "x", "max_output_tokens": most, "top_k": kind}),
        OLLAMA_CHAT => {
            json!({"messages": messages, "options": {"num_predict": most, "top_k": kind}})
        }
        OLLAMA_GENERATE => {
            json!({"prompt": "x", "options": {"num_predict": most, "top_k": kind}})
        }
        NATIVE => {
            json!({"prompt": "x", "max_output_tokens": most, "sampling": {"top_k": kind}})
        }
        _ => panic!("{path}"),
    };
    if path != NATIVE {
        request["model"] = json!("model");
    }
    request["stream"] = json!(is_streamed);
    request
}

/// A piece of a stream.
#[derive(Debug, PartialEq)]
enum Piece {
    Text(String),
    /// The code of an error, or its text where a family has no codes.
    Error(String),
    /// A frame of the family's order, without text.
    Frame,
    /// A frame by which the stream says that it is whole.
    End,
}

/// Reads a body strictly: whatever is no frame of its family fails.
fn pieces(path: &str, body: &str) -> Vec<Piece> {
    if path.starts_with("/api/") {
        let text = if path == OLLAMA_CHAT {
            "/message/content"
        } else {
            "/response"
        };
        let lines = body.strip_suffix('\n').unwrap().split('\n');
        let lines = lines.map(|line| {
            let line: Value = serde_json::from_str(line).unwrap();
            if let Some(error) = line["error"].as_str() {
                return Piece::Error(error.to_owned());
            }
            match line["done"].as_bool().unwrap() {
                true => Piece::End,
                false => Piece::Text(line.pointer(text).unwrap().as_str().unwrap().to_owned()),
            }
        });
        return lines.collect();
    }
    let (text, is_end): (_, fn(&Value) -> bool) = match path {
        CHAT => ("/choices/0/delta/content", |_| false),
        COMPLETIONS => ("/choices/0/text", |_| false),
        RESPONSES => ("/delta", |event| event["type"] == "response.completed"),
        _ => ("/text", |event| event.get("finish_reason").is_some()),
    };
    let events = stream_events(body).into_iter().map(|event| {
        if event.data == "[DONE]" {
            return Piece::End;
        }
        let data = event.json();
        if event.name.as_deref() == Some("error") {
            return Piece::Error(data["error"]["code"].as_str().unwrap().to_owned());
        }
        match data.pointer(text) {
            _ if is_end(&data) => Piece::End,
            Some(text) => Piece::Text(text.as_str().unwrap().to_owned()),
            None => Piece::Frame,
        }
    });
    events.collect()
}

/// A server here of the guest, with this deadline of its model, and this setting.
fn thinking(deadline: Duration, silence: Duration) -> ServedHere {
    let acme = Publisher::new("acme");
    let mut limits = Limits::default();
    limits.deadline = deadline;
    let host = host_with_limits(&acme, limits);
    let bundle = acme
        .bundle(wat_guest("thinks_first"))
        .tasks(&["text-generation"])
        .set("/limits/deadline_ms", json!(deadline.as_millis()))
        .write();
    let model = block_on(host.load(bundle.path())).unwrap();
    let settings = ServiceSettings {
        silence,
        ..ServiceSettings::default()
    };
    ServedHere::start(host, settings, model)
}

/// Asks all routes at once, each for one of the two kinds of sleep.
fn at_once<T: Send>(ask: impl Fn(&'static str, u64) -> T + Sync) -> Vec<T> {
    let ask = &ask;
    std::thread::scope(|scope| {
        let kinds = [NEXT_SLEEPS, GENERATE_SLEEPS].into_iter().cycle();
        let asked = ROUTES.into_iter().zip(kinds);
        let asked: Vec<_> = asked
            .map(|(path, kind)| scope.spawn(move || ask(path, kind)))
            .collect();
        let answers = asked.into_iter().map(|thread| thread.join().unwrap());
        answers.collect()
    })
}

/// Waits for the first byte of an answer, which stays to be read.
fn first_byte(stream: &TcpStream) {
    stream.set_read_timeout(Some(LONG)).unwrap();
    assert_eq!(stream.peek(&mut [0]).unwrap(), 1);
}

#[test]
fn a_stream_begins_after_a_silence_and_says_in_each_further_one_that_the_model_is_at_work() {
    let silence = Duration::from_millis(1_500);
    let server = thinking(LONG, SILENCE);
    let answers = at_once(|path, kind| {
        let begun = Instant::now();
        let stream = server.ask(path, &request(path, kind, silence, true));
        first_byte(&stream);
        let status_after = begun.elapsed();
        let (head, body) = read_answer(stream);
        (path, status_after, begun.elapsed(), head, body)
    });
    for (path, status_after, took, head, body) in answers {
        let told = format!("{path}: {status_after:?}, {took:?}, {head}\n{body}");
        assert!(head.starts_with("HTTP/1.0 200"), "{told}");
        assert!(
            SILENCE <= status_after && status_after < took,
            "the status waits for the first token, and no longer than a silence: {told}"
        );
        let pieces = pieces(path, &body);
        assert_eq!(pieces.last(), Some(&Piece::End), "{told}");
        let texts = pieces.iter().filter_map(|piece| match piece {
            Piece::Text(text) => Some(&**text),
            _ => None,
        });
        let texts: Vec<&str> = texts.collect();
        let said: Vec<&str> = texts
            .iter()
            .copied()
            .filter(|text| !text.is_empty())
            .collect();
        assert_eq!(said, ["late ", "word"], "{told}");
        let silent = texts.iter().take_while(|text| text.is_empty()).count();
        // One of them may be a stream's opening. A busy machine is late with some.
        let most = took.as_millis() / SILENCE.as_millis() + 1;
        assert!((4..=most).contains(&(silent as u128)), "{silent}: {told}");
    }
}

#[test]
fn an_error_in_the_first_silence_is_a_status_for_a_stream_too() {
    let server = thinking(Duration::from_millis(300), LONG);
    for is_streamed in [true, false] {
        let answers = at_once(|path, kind| {
            let (head, body) = server.post(path, &request(path, kind, LONG, is_streamed));
            (path, head, body)
        });
        for (path, head, body) in answers {
            assert!(head.starts_with("HTTP/1.0 422"), "{path}: {head}\n{body}");
            assert!(
                head.contains("content-type: application/json"),
                "{path}: {head}"
            );
            let error = serde_json::from_str::<Value>(&body).unwrap()["error"].clone();
            if path.starts_with("/api/") {
                assert!(error.is_string(), "{path}: {body}");
            } else {
                assert_eq!(error["code"], "limit.deadline", "{path}: {body}");
            }
        }
    }
}

/// A stream that has no text yet fails as one that has: an end as if it were whole would be read as an empty answer.
#[test]
fn an_error_in_a_later_silence_is_the_last_frame_of_a_stream_that_has_no_text() {
    let server = thinking(Duration::from_millis(600), SILENCE);
    let answers = at_once(|path, kind| {
        let (head, body) = server.post(path, &request(path, kind, LONG, true));
        (path, head, body)
    });
    for (path, head, body) in answers {
        assert!(head.starts_with("HTTP/1.0 200"), "{path}: {head}\n{body}");
        let mut pieces = pieces(path, &body);
        let Some(Piece::Error(error)) = pieces.pop() else {
            panic!("{path}: {body}")
        };
        if path.starts_with("/api/") {
            assert!(
                error.contains("deadline") || error.contains("time"),
                "{error}"
            );
        } else {
            assert_eq!(error, "limit.deadline", "{path}");
        }
        let is_nothing = |piece: &Piece| matches!(piece, Piece::Text(text) if text.is_empty());
        let is_silent = |piece: &Piece| *piece == Piece::Frame || is_nothing(piece);
        assert!(pieces.iter().all(is_silent), "{path}: {body}");
        assert!(pieces.iter().any(is_nothing), "{path}: {body}");
    }
}

/// Leaves at once, or once the answer has begun.
fn leave(client: TcpStream, has_begun: bool) -> Option<TcpStream> {
    if has_begun {
        first_byte(&client);
    }
    drop(client);
    None
}

#[test]
fn a_client_that_goes_away_before_a_streams_status_frees_its_sandbox_within_25_ms() {
    let server = thinking(LONG, LONG);
    for path in ROUTES {
        let asked = request(path, NEXT_NEVER_RETURNS, LONG, true);
        frees_its_sandbox(&server, path, &asked, 0, |client| leave(client, false));
    }
    let asked = request(CHAT, GENERATE_NEVER_RETURNS, LONG, true);
    frees_its_sandbox(&server, CHAT, &asked, 0, |client| leave(client, false));
}

#[test]
fn a_client_that_goes_away_in_a_streams_silence_frees_its_sandbox_within_25_ms() {
    let server = thinking(LONG, Duration::from_millis(5));
    for path in ROUTES {
        let asked = request(path, NEXT_NEVER_RETURNS, LONG, true);
        frees_its_sandbox(&server, path, &asked, 0, |client| leave(client, true));
    }
    let asked = request(CHAT, GENERATE_NEVER_RETURNS, LONG, true);
    frees_its_sandbox(&server, CHAT, &asked, 0, |client| leave(client, true));
}

#[test]
fn a_client_that_goes_away_while_a_whole_answer_is_awaited_frees_its_sandbox_within_25_ms() {
    let server = thinking(LONG, SILENCE);
    for path in ROUTES {
        let asked = request(path, NEXT_NEVER_RETURNS, LONG, false);
        frees_its_sandbox(&server, path, &asked, 0, |client| leave(client, false));
    }
    let asked = request(CHAT, GENERATE_NEVER_RETURNS, LONG, false);
    frees_its_sandbox(&server, CHAT, &asked, 0, |client| leave(client, false));
}
