//! Ampoule's own routes.

use ampoule_tests::SharedServer;
use serde_json::json;

#[test]
fn a_model_is_listed_with_its_signers_grants_and_limits() {
    let server = SharedServer::get();
    let list = server.get("/ampoule/v1/models").json();
    let models = list["models"].as_array().unwrap();
    let names: Vec<_> = models.iter().map(|model| &model["name"]).collect();
    assert_eq!(names, ["every-task", "tiny-vlm"]);
    let model = &models[0];
    assert_eq!(model["aliases"], json!(["acme/every-task"]));
    assert_eq!(model["readiness"], "ready");
    let loaded = &model["loaded"];
    assert_eq!(loaded["publisher"], "acme");
    assert_eq!(loaded["model"], "test");
    assert_eq!(loaded["version"], "1.0.0");
    assert_eq!(loaded["release"], 1);
    assert_eq!(loaded["created"], "2026-01-01T00:00:00Z");
    assert_eq!(loaded["manifest_sha256"].as_str().unwrap().len(), 64);
    assert_eq!(loaded["signers"].as_array().unwrap().len(), 1);
    assert_eq!(loaded["tasks"].as_array().unwrap().len(), 5);
    assert_eq!(loaded["limits"]["deadline_ms"], 3_000);
    assert_eq!(loaded["limits"]["memory_bytes"], 64 << 20);
    assert_eq!(loaded["profile"], "metered");
    assert_eq!(loaded["sandbox_start"]["kind"], "snapshot");
    assert_eq!(loaded["properties"]["text.max-tokens"], "512");
}

#[test]
fn a_model_is_described_by_each_of_its_names() {
    let server = SharedServer::get();
    let own = server.get("/ampoule/v1/models/every-task").json();
    let alias = server.get("/ampoule/v1/models/acme%2Fevery-task").json();
    assert_eq!(own, alias);
    let unknown = server.get("/ampoule/v1/models/nobody");
    assert_eq!(unknown.status, 404);
    assert_eq!(unknown.json()["error"]["code"], "model.unknown");
}
