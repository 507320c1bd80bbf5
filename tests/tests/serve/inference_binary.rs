//! The Open Inference Protocol's binary extension: tensors as bytes, both ways.

use ampoule_tests::{Operator, Reply, Served, SharedServer, picture_base64, test_guest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use miniz_oxide::deflate::{compress_to_vec, compress_to_vec_zlib};
use serde_json::{Value, json};

const INFER: &str = "/v2/models/every-task/infer";
const LENGTH: &str = "inference-header-content-length";

/// Frames the elements of a `BYTES` tensor.
fn framed(elements: &[&[u8]]) -> Vec<u8> {
    let frame = |element: &&[u8]| {
        let length = u32::try_from(element.len()).unwrap().to_le_bytes();
        [&length[..], element].concat()
    };
    elements.iter().flat_map(frame).collect()
}

fn input(name: &str, datatype: &str, shape: Value, size: usize) -> Value {
    json!({"name": name, "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": size}})
}

/// Posts JSON with bytes after it.
fn post(path: &str, request: &Value, binary: &[u8]) -> Reply {
    let json = serde_json::to_vec(request).unwrap();
    let length = json.len().to_string();
    SharedServer::get().post_bytes(
        path,
        &[(LENGTH, &length)],
        &[json, binary.to_vec()].concat(),
    )
}

/// Takes an answer apart into its JSON and the bytes after it.
fn parts(answer: &Reply) -> (Value, &[u8]) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.header("content-type"), "application/octet-stream");
    let length: usize = answer.header(LENGTH).parse().unwrap();
    let (json, binary) = answer.body.split_at(length);
    (serde_json::from_slice(json).unwrap(), binary)
}

fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes
        .chunks_exact(4)
        .map(|value| f32::from_le_bytes(value.try_into().unwrap()))
        .collect()
}

#[test]
fn tensors_go_in_and_come_out_in_binary_in_their_order() {
    let texts = framed(&[b"a", b"", "é".as_bytes()]);
    let request = json!({"inputs": [input("texts", "BYTES", json!([3]), texts.len())], "parameters": {"binary_data_output": true}});
    let answer = post(INFER, &request, &texts);
    let (json, binary) = parts(&answer);
    let (vectors, truncated) = binary.split_at(3 * 8 * 4);
    assert_eq!(
        json["outputs"][0],
        json!({"name": "embeddings", "datatype": "FP32", "shape": [3, 8], "parameters": {"binary_data_size": 96}})
    );
    assert_eq!(json["outputs"][1]["parameters"]["binary_data_size"], 3);
    assert_eq!(truncated, [0, 0, 0]);

    let plain = json!({"inputs": [{"name": "texts", "datatype": "BYTES", "shape": [3], "data": ["a", "", "é"]}]});
    let plain = SharedServer::get().post(INFER, &plain).json();
    let expected: Vec<f32> = serde_json::from_value(plain["outputs"][0]["data"].clone()).unwrap();
    assert_eq!(floats(vectors), expected);
}

#[test]
fn an_answer_in_binary_is_asked_for_by_the_request_or_by_an_output() {
    let server = SharedServer::get();
    let texts = json!({"name": "texts", "datatype": "BYTES", "shape": [1], "data": ["ab"]});
    // As tritonclient asks without a list of outputs, even with inputs of JSON.
    let whole = json!({"inputs": [texts], "parameters": {"binary_data_output": true}});
    let answer = server.post(INFER, &whole);
    assert_eq!(parts(&answer).1.len(), 33);

    let mixed = json!({"inputs": [texts], "outputs": [
        {"name": "truncated", "parameters": {"binary_data": true}},
        {"name": "embeddings", "parameters": {"binary_data": false}},
    ]});
    let answer = server.post(INFER, &mixed);
    let (json, binary) = parts(&answer);
    assert_eq!(binary, [0]);
    assert_eq!(json["outputs"][0]["parameters"]["binary_data_size"], 1);
    assert_eq!(json["outputs"][0].get("data"), None);
    assert_eq!(json["outputs"][1]["data"].as_array().unwrap().len(), 8);
    assert_eq!(json["outputs"][1].get("parameters"), None);

    let but_one = json!({"inputs": [texts], "parameters": {"binary_data_output": true, "task": "text-tokenization"},
        "outputs": [{"name": "ids"}, {"name": "lengths", "parameters": {"binary_data": false}}]});
    let answer = server.post(INFER, &but_one);
    let (json, binary) = parts(&answer);
    assert_eq!(binary, [97, 0, 0, 0, 98, 0, 0, 0]);
    assert_eq!(json["outputs"][1]["data"], json!([2]));
}

#[test]
fn texts_come_out_with_their_lengths() {
    let prompt = framed(&["één twee".as_bytes()]);
    let request = json!({"inputs": [input("prompt", "BYTES", json!([1]), prompt.len())], "outputs": [{"name": "text", "parameters": {"binary_data": true}}]});
    let answer = post(INFER, &request, &prompt);
    assert_eq!(parts(&answer).1, prompt);
}

#[test]
fn pixels_and_picture_files_are_bytes_as_they_are() {
    let request = json!({"inputs": [input("pixels", "UINT8", json!([2, 1, 1, 3]), 6)], "parameters": {"binary_data_output": true}});
    let answer = post(INFER, &request, &[255, 0, 0, 0, 0, 255]);
    assert_eq!(floats(parts(&answer).1), [1.0, 0.0, 0.0, 0.0, 0.0, 1.0]);

    let file = STANDARD.decode(picture_base64()).unwrap();
    let images = framed(&[&file]);
    let request = json!({"inputs": [input("images", "BYTES", json!([1]), images.len())]});
    let answer = post("/v2/models/tiny-vlm/infer", &request, &images);
    assert_eq!(answer.status, 200, "{}", answer.text());
    let in_base64 = json!({"inputs": [{"name": "images", "datatype": "BYTES", "shape": [1], "data": [picture_base64()]}]});
    let in_base64 = SharedServer::get()
        .post("/v2/models/tiny-vlm/infer", &in_base64)
        .json();
    assert_eq!(answer.json()["outputs"], in_base64["outputs"]);
}

#[test]
fn several_tensors_follow_each_other() {
    let (prompt, system) = (framed(&[b"hello"]), framed(&[b"be brief"]));
    let request = json!({"inputs": [
        input("system", "BYTES", json!([1]), system.len()),
        {"name": "pixels", "datatype": "UINT8", "shape": [1, 2, 3], "data": [1, 2, 3, 4, 5, 6]},
        input("prompt", "BYTES", json!([1]), prompt.len()),
    ]});
    let answer = post(INFER, &request, &[system, prompt].concat());
    assert_eq!(
        answer.json()["outputs"][0]["data"],
        json!(["[2x1] hello"]),
        "{}",
        answer.text()
    );
}

#[test]
fn a_header_that_does_not_fit_the_body_is_refused() {
    let texts = framed(&[b"a"]);
    let request = json!({"inputs": [input("texts", "BYTES", json!([1]), texts.len())]});
    let json = serde_json::to_vec(&request).unwrap();
    let body = [&json[..], &texts].concat();
    let server = SharedServer::get();
    let good = json.len().to_string();
    assert_eq!(
        server.post_bytes(INFER, &[(LENGTH, &good)], &body).status,
        200
    );
    let (beyond, less) = ((body.len() + 1).to_string(), (json.len() - 1).to_string());
    let negative = format!("-{good}");
    for value in [
        &beyond,
        &less,
        &negative,
        "",
        "five",
        "+5",
        "1e3",
        "99999999999999999999999999",
        "0x10",
    ] {
        let answer = server.post_bytes(INFER, &[(LENGTH, value)], &body);
        assert_eq!(answer.status, 400, "{value}: {}", answer.text());
        assert!(answer.json()["error"].is_string());
    }
    let twice = server.post_bytes(INFER, &[(LENGTH, &good), (LENGTH, &good)], &body);
    assert_eq!(twice.status, 400, "{}", twice.text());
    let absent = server.post_bytes(INFER, &[], &body);
    assert_eq!(absent.status, 400, "{}", absent.text());
}

#[test]
fn sizes_and_lengths_that_do_not_add_up_are_refused() {
    let texts = framed(&[b"ab"]);
    let with = |size: Value| json!({"inputs": [{"name": "texts", "datatype": "BYTES", "shape": [1], "parameters": {"binary_data_size": size}}]});
    for size in [
        json!(5),
        json!(7),
        json!(0),
        json!(-1),
        json!("6"),
        json!(6.5),
        json!(u64::MAX),
    ] {
        let answer = post(INFER, &with(size.clone()), &texts);
        assert_eq!(answer.status, 400, "{size}: {}", answer.text());
    }
    for (bytes, shape) in [
        (&b"\x02\0\0\0a"[..], 1),
        (b"\x01\0\0\0ab", 1),
        (b"\x01\0\0", 1),
        (b"\xff\xff\xff\xffab", 1),
        (b"\x01\0\0\0a", 2),
        (b"\x01\0\0\0\xff", 1),
    ] {
        let request = json!({"inputs": [input("texts", "BYTES", json!([shape]), bytes.len())]});
        let answer = post(INFER, &request, bytes);
        assert_eq!(answer.status, 400, "{bytes:?}: {}", answer.text());
    }
    let both = json!({"inputs": [{"name": "texts", "datatype": "BYTES", "shape": [1], "data": ["a"], "parameters": {"binary_data_size": 6}}]});
    assert_eq!(post(INFER, &both, &texts).status, 400);
    let wrong = json!({"inputs": [input("texts", "FP16", json!([3]), 6)]});
    let answer = post(INFER, &wrong, &texts);
    assert!(
        answer.text().contains("BYTES is expected"),
        "{}",
        answer.text()
    );
    let odd = json!({"inputs": [input("texts", "FP32", json!([1]), 6)]});
    assert!(post(INFER, &odd, &texts).text().contains("no whole number"));
}

#[test]
fn a_raw_body_is_the_one_element_of_the_only_input() {
    let operator = Operator::new();
    // A guest of one task, which takes each byte of a text for a token.
    let guest = test_guest("forges_log_lines");
    let bundle = operator.publisher().bundle(guest).write();
    let server = Served::models(operator.trust(), &[bundle.path()]);
    let models = server.get("/v1/models").json();
    let name = models["data"][0]["id"].as_str().unwrap();
    let path = format!("/v2/models/{name}/infer");
    let raw = server.post_bytes(&path, &[(LENGTH, "0")], b"abc");
    let (json, binary) = parts(&raw);
    assert_eq!(json["parameters"]["task"], "text-embedding");
    assert_eq!(json["parameters"]["input_tokens"], 3);
    assert_eq!(json["outputs"][0]["shape"][0], 1);
    assert_eq!(binary.last(), Some(&0), "the text was not cut");

    let several = SharedServer::get().post_bytes(INFER, &[(LENGTH, "0")], b"a");
    assert_eq!(several.status, 400, "{}", several.text());
    assert!(several.text().contains("one task"), "{}", several.text());
}

/// Packs bytes as gzip does (RFC 1952).
fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut sum = u32::MAX;
    for byte in bytes {
        sum ^= u32::from(*byte);
        for _ in 0..8 {
            sum = (sum >> 1) ^ (0xEDB8_8320 & (sum & 1).wrapping_neg());
        }
    }
    let head = b"\x1f\x8b\x08\0\0\0\0\0\0\xff";
    let size = u32::try_from(bytes.len()).unwrap().to_le_bytes();
    [
        &head[..],
        &compress_to_vec(bytes, 6),
        &(!sum).to_le_bytes(),
        &size,
    ]
    .concat()
}

#[test]
fn packed_bodies_are_unpacked_and_the_header_counts_unpacked_bytes() {
    let texts = framed(&[b"a"]);
    let json =
        serde_json::to_vec(&json!({"inputs": [input("texts", "BYTES", json!([1]), texts.len())]}))
            .unwrap();
    let length = json.len().to_string();
    let body = [json, texts].concat();
    let server = SharedServer::get();
    for (coding, packed) in [
        ("gzip", gzip(&body)),
        ("deflate", compress_to_vec_zlib(&body, 6)),
    ] {
        let answer = server.post_bytes(
            INFER,
            &[(LENGTH, &length), ("content-encoding", coding)],
            &packed,
        );
        assert_eq!(answer.status, 200, "{coding}: {}", answer.text());
        let broken = server.post_bytes(
            INFER,
            &[("content-encoding", coding)],
            &packed[..packed.len() / 2],
        );
        assert_eq!(broken.status, 400, "{coding}: {}", broken.text());
    }
}

#[test]
fn a_body_that_unpacks_to_more_than_the_bound_is_refused() {
    let packed = compress_to_vec_zlib(&vec![b' '; 33 << 20], 6);
    assert!(packed.len() < 1 << 20);
    let answer = SharedServer::get().post_bytes(INFER, &[("content-encoding", "deflate")], &packed);
    assert_eq!(answer.status, 413, "{}", answer.text());
    assert!(answer.json()["error"].is_string());
}

#[test]
fn a_body_of_many_megabytes_is_read() {
    let pixels = vec![0; 2_000 * 1_000 * 3];
    let request =
        json!({"inputs": [input("pixels", "UINT8", json!([1, 1_000, 2_000, 3]), pixels.len())]});
    let answer = post(INFER, &request, &pixels);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(answer.json()["outputs"][0]["data"], json!([0.0, 0.0, 0.0]));
}
