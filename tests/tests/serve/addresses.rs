//! Addresses as clients put them together: slashes too many, and a base address that is not the family's.

use ampoule_tests::SharedServer;
use serde_json::json;

#[test]
fn slashes_that_a_client_adds_change_nothing() {
    let server = SharedServer::get();
    for (path, plain) in [
        ("/v1/models/", "/v1/models"),
        ("//v1//models//", "/v1/models"),
        ("/v1/models/acme/every-task/", "/v1/models/acme/every-task"),
        ("/api/tags/", "/api/tags"),
        ("/v2/models/every-task/", "/v2/models/every-task"),
        ("/ampoule/v1/models/?a=/", "/ampoule/v1/models"),
        ("/info/", "/info"),
    ] {
        let answer = server.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        assert_eq!(answer.json(), server.get(plain).json(), "{path}");
    }
    let answer = server.post("/embed/", &json!({"inputs": "a"}));
    assert_eq!(answer.status, 200, "{}", answer.text());
}

#[test]
fn an_address_without_a_route_says_where_a_clients_base_address_ends() {
    let server = SharedServer::get();
    for (path, words) in [
        ("/embeddings", "OpenAI's routes begin with /v1"),
        ("/chat/completions", "OpenAI's routes begin with /v1"),
        ("/v1/v1/embeddings", "it has /v1 twice"),
        ("/v1/api/chat", "Ollama's routes begin with /api"),
        ("/api/api/chat", "it has /api twice"),
        ("/api/v1/chat/completions", "OpenAI's routes begin with /v1"),
        ("/invocations", "POST /embed"),
        ("/nothing", "/openapi.json lists"),
    ] {
        let answer = server.post(path, &json!({}));
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.text().contains(words), "{path}: {}", answer.text());
    }
}
