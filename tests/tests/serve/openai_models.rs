//! The list of models by OpenAI's route.

use ampoule_tests::SharedServer;
use serde_json::{Value, json};

#[test]
fn each_name_of_each_model_is_listed_with_all_that_clients_want() {
    let server = SharedServer::get();
    let list = server.get("/v1/models").json();
    assert_eq!(list["object"], "list");
    let data = list["data"].as_array().unwrap();
    let names: Vec<&Value> = data.iter().map(|model| &model["id"]).collect();
    assert_eq!(names, ["every-task", "acme/every-task", "tiny-vlm"]);
    let made = json!({"id": "every-task", "object": "model", "created": 1_767_225_600, "owned_by": "acme"});
    assert_eq!(data[0], made, "the manifest's date and publisher");
    for model in data {
        assert_eq!(model["object"], "model", "{model}");
        assert!(
            model["created"].is_u64() && model["owned_by"].is_string(),
            "{model}"
        );
    }
}

#[test]
fn a_name_with_a_slash_is_found_however_it_is_written() {
    let server = SharedServer::get();
    for path in [
        "acme/every-task",
        "acme%2Fevery-task",
        "acme%2fevery%2Dtask",
        "acme//every-task",
        "acme/every-task:latest",
    ] {
        let reply = server.get(&format!("/v1/models/{path}"));
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        assert_eq!(reply.json()["owned_by"], "acme");
    }
    let own = server.get("/v1/models/every-task").json();
    assert_eq!(own["id"], "every-task");
}

#[test]
fn an_encoded_dot_or_slash_reaches_no_other_route() {
    let server = SharedServer::get();
    for path in [
        "%2e%2e/models",
        "%2e%2e%2fmodels",
        "..%2f..%2fhealthz",
        "every-task%2f%2e%2e%2ftiny-vlm",
        "every-task%00",
        "%ff%fe",
        "Every-Task",
        "nobody",
        "%0d%0ax-injected:%201",
    ] {
        let reply = server.get(&format!("/v1/models/{path}"));
        assert_eq!(reply.status, 404, "{path}: {}", reply.text());
        let error = &reply.json()["error"];
        assert_eq!(error["code"], "model_not_found", "{path}");
        assert_eq!(error["param"], "model", "{path}");
    }
}

#[test]
fn a_list_is_read_and_not_written() {
    let server = SharedServer::get();
    let reply = server.post("/v1/models", &json!({}));
    assert_eq!(reply.status, 405);
    assert_eq!(reply.json()["error"]["type"], "invalid_request_error");
}
