//! Lengths of vectors: routes that give vectors of length 1 make them so, and the others leave them alone.

use ampoule_server::ServiceSettings;
use ampoule_tests::{Publisher, ServedHere, block_on, host_trusting, wat_guest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

/// The vector of the guest `may_be_cut`, of length 13.
const OWN: [f32; 3] = [3.0, 4.0, 12.0];

/// Its copy of length 1.
const UNIT: [f32; 3] = [3.0 / 13.0, 4.0 / 13.0, 12.0 / 13.0];

fn embedding(guest: &str) -> ServedHere {
    let acme = Publisher::new("acme");
    let host = host_trusting(&acme);
    let bundle = acme.bundle(wat_guest(guest)).write();
    let model = block_on(host.load(bundle.path())).unwrap();
    ServedHere::start(host, ServiceSettings::default(), model)
}

/// Asks a route, and returns the vector at a place of its answer.
#[track_caller]
fn vector(server: &ServedHere, path: &str, request: &Value, place: &str) -> Vec<f32> {
    let (head, body) = server.post(path, request);
    assert!(head.starts_with("HTTP/1.0 200"), "{path}: {head}\n{body}");
    let answer: Value = serde_json::from_str(&body).unwrap();
    let vector = answer.pointer(place).unwrap_or_else(|| panic!("{body}"));
    serde_json::from_value(vector.clone()).unwrap()
}

#[test]
fn a_route_for_vectors_of_length_1_makes_them_so_and_the_others_leave_them_alone() {
    let server = embedding("may_be_cut");
    let openai = |more: Value| {
        let mut request = json!({"model": "model", "input": "a"});
        let more = more.as_object().unwrap().clone();
        request.as_object_mut().unwrap().extend(more);
        request
    };
    for (path, request, place, expected) in [
        ("/embed", json!({"inputs": "a"}), "/0", &UNIT[..]),
        (
            "/embed",
            json!({"inputs": "a", "normalize": null}),
            "/0",
            &UNIT,
        ),
        (
            "/embed",
            json!({"inputs": "a", "normalize": true}),
            "/0",
            &UNIT,
        ),
        (
            "/embed",
            json!({"inputs": "a", "normalize": false}),
            "/0",
            &OWN,
        ),
        (
            "/embed",
            json!({"inputs": "a", "dimensions": 2}),
            "/0",
            &[0.6, 0.8],
        ),
        ("/api/embed", openai(json!({})), "/embeddings/0", &UNIT),
        (
            "/api/embed",
            openai(json!({"dimensions": 1})),
            "/embeddings/0",
            &[1.0],
        ),
        (
            "/api/embeddings",
            json!({"model": "model", "prompt": "a"}),
            "/embedding",
            &OWN,
        ),
        (
            "/v1/embeddings",
            openai(json!({})),
            "/data/0/embedding",
            &OWN,
        ),
        (
            "/v1/embeddings",
            openai(json!({"dimensions": 3})),
            "/data/0/embedding",
            &OWN,
        ),
        (
            "/v1/embeddings",
            openai(json!({"dimensions": 2})),
            "/data/0/embedding",
            &[0.6, 0.8],
        ),
        (
            "/ampoule/v1/models/model/text-embedding",
            json!({"texts": ["a"]}),
            "/vectors/0",
            &OWN,
        ),
        (
            "/v2/models/model/infer",
            json!({"inputs": [{"name": "texts", "datatype": "BYTES", "shape": [1], "data": ["a"]}]}),
            "/outputs/0/data",
            &OWN,
        ),
    ] {
        assert_eq!(
            vector(&server, path, &request, place),
            expected,
            "{path} {request}"
        );
    }
    let (_, body) = server.post(
        "/v1/embeddings",
        &openai(json!({"encoding_format": "base64"})),
    );
    let answer: Value = serde_json::from_str(&body).unwrap();
    let bytes = OWN.iter().flat_map(|value| value.to_le_bytes());
    let bytes = STANDARD.encode(bytes.collect::<Vec<u8>>());
    assert_eq!(answer["data"][0]["embedding"], bytes);
}

/// Zeros have no direction; a division by their length would make them no numbers, which JSON writes as `null`.
#[test]
fn a_vector_of_zeros_stays_one() {
    let server = embedding("takes_time_for_each_text");
    let tei = vector(&server, "/embed", &json!({"inputs": "a"}), "/0");
    let ollama = json!({"model": "model", "input": "a"});
    let ollama = vector(&server, "/api/embed", &ollama, "/embeddings/0");
    assert_eq!((&*tei, &*ollama), (&[0.0][..], &[0.0][..]));
}
