//! Large bodies: they cost nobody else their turn, and cost nothing at all for a model that is not there.

use std::sync::LazyLock;
use std::thread;
use std::time::{Duration, Instant};

use ampoule::Limits;
use ampoule_server::ServiceSettings;
use ampoule_tests::{Publisher, ServedHere, SharedServer, block_on, host_with_limits};
use serde_json::{Value, json};

/// A server of one thread: whoever keeps it busy keeps everybody else waiting.
static ONE_THREAD: LazyLock<ServedHere> = LazyLock::new(|| {
    let acme = Publisher::new("acme");
    let host = host_with_limits(&acme, Limits::default());
    let bundle = acme.every_task().write();
    let model = block_on(host.load(bundle.path())).unwrap();
    ServedHere::start(host, ServiceSettings::default(), model)
});

/// Posts a body, and returns the time until its answer, and the longest time that anybody waited for `/healthz` meanwhile.
#[track_caller]
fn waits_beside(path: &str, body: &[u8]) -> (Duration, Duration) {
    let mut client = ONE_THREAD.connect();
    client.begin_post(path, body.len(), "").unwrap();
    let (last, before) = body.split_last().unwrap();
    client.send(before).unwrap();
    thread::scope(|scope| {
        let begun = Instant::now();
        let answered = scope.spawn(move || {
            client.send([*last]).unwrap();
            assert_eq!(client.answer().unwrap().status, 400);
            begun.elapsed()
        });
        let mut longest = Duration::ZERO;
        while !answered.is_finished() {
            let asked = Instant::now();
            assert!(ONE_THREAD.get("/healthz").0.contains(" 200 "));
            longest = longest.max(asked.elapsed());
        }
        (answered.join().unwrap(), longest)
    })
}

#[test]
fn nobody_waits_for_the_reading_of_a_large_body() {
    let numbers = 2_000_000;
    let data = "1,".repeat(numbers - 1);
    // The data come before the shape, so all of them are read.
    let body = format!(
        r#"{{"inputs":[{{"data":[{data}1],"name":"texts","datatype":"UINT8","shape":[{numbers}]}}]}}"#
    );
    let (whole, longest) = waits_beside("/v2/models/model/infer", body.as_bytes());
    assert!(longest < whole / 2, "{longest:?} of {whole:?}");
}

#[test]
fn data_beyond_their_shape_are_not_read() {
    let data = "1,".repeat(100);
    // What follows is no JSON, and nobody comes so far.
    let body =
        format!(r#"{{"inputs":[{{"name":"texts","datatype":"UINT8","shape":[1],"data":[{data}!"#);
    let server = SharedServer::get();
    let reply = server.post_bytes("/v2/models/every-task/infer", &[], body.as_bytes());
    assert_eq!(reply.status, 400);
    let text = reply.text();
    assert!(
        text.contains("the shape has 1 elements, and the data has more"),
        "{text}"
    );
}

/// Requests with this picture and this model, one for each route that reads pictures.
fn with_picture(model: &str, picture: &str) -> Vec<(String, Value)> {
    let part = json!({"type": "image_url", "image_url": {"url": format!("data:image/png;base64,{picture}")}});
    let turns = json!([{"role": "user", "content": [part]}]);
    let native = |task: &str| format!("/ampoule/v1/models/{model}/{task}");
    vec![
        (
            "/v1/chat/completions".to_owned(),
            json!({"model": model, "messages": turns}),
        ),
        (
            "/v1/responses".to_owned(),
            json!({"model": model, "input": turns}),
        ),
        (
            "/api/chat".to_owned(),
            json!({"model": model, "messages": [{"role": "user", "images": [picture]}]}),
        ),
        (
            "/api/generate".to_owned(),
            json!({"model": model, "prompt": "", "images": [picture]}),
        ),
        (
            native("text-generation"),
            json!({"messages": [{"role": "user", "content": [{"image": picture}]}]}),
        ),
        (native("image-embedding"), json!({"images": [picture]})),
        (native("image-classification"), json!({"image": picture})),
    ]
}

#[test]
fn no_picture_is_decoded_for_a_model_that_is_not_there() {
    let server = SharedServer::get();
    for (model, status) in [("tiny-vlm", 400), ("invented", 404)] {
        // The picture is no base64, as whoever decodes it sees. In a large body another thread does.
        for picture in ["!".to_owned(), format!("{}!", "A".repeat(100_000))] {
            for (path, request) in with_picture(model, &picture) {
                let reply = server.post(&path, &request);
                assert_eq!(reply.status, status, "{path}: {}", reply.text());
                let is_of_picture = reply.text().contains("base64");
                assert_eq!(is_of_picture, status == 400, "{path}: {}", reply.text());
            }
        }
    }
}

#[test]
fn stop_strings_that_are_too_long_are_refused_on_every_route() {
    let server = SharedServer::get();
    let stop = "s".repeat(65_537);
    let turns = json!([{"role": "user", "content": "x"}]);
    for (path, request) in [
        (
            "/v1/completions",
            json!({"model": "tiny-vlm", "prompt": ["a", "b"], "stop": stop}),
        ),
        (
            "/v1/chat/completions",
            json!({"model": "tiny-vlm", "messages": turns, "stop": stop}),
        ),
        (
            "/api/chat",
            json!({"model": "tiny-vlm", "messages": turns, "options": {"stop": stop}}),
        ),
        (
            "/v2/models/tiny-vlm/infer",
            json!({"parameters": {"stop": stop}, "inputs": [
                {"name": "prompt", "datatype": "BYTES", "shape": [2], "data": ["a", "b"]},
            ]}),
        ),
        (
            "/ampoule/v1/models/tiny-vlm/text-generation",
            json!({"prompt": "x", "stop": [stop]}),
        ),
    ] {
        let reply = server.post(path, &request);
        assert_eq!(reply.status, 400, "{path}: {}", reply.text());
        let text = reply.text();
        assert!(
            text.contains("65537 bytes found in all, 65536 allowed"),
            "{path}: {text}"
        );
    }
}
