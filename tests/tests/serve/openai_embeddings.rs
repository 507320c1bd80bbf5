//! Vectors by OpenAI's route.

use ampoule_tests::{Operator, Served};
use serde_json::json;

#[test]
fn a_thousand_texts_come_back_in_order() {
    let operator = Operator::new();
    let bundle = operator.good().write();
    let served = Served::models(operator.trust(), &[bundle.path()]);
    let name = served.get("/v1/models").json()["data"][0]["id"].clone();
    let texts: Vec<String> = (0..1_000).map(|index| "x".repeat(index % 50)).collect();
    let answer = served.post("/v1/embeddings", &json!({"model": name, "input": texts}));
    assert_eq!(answer.status, 200, "{}", answer.text());
    let document = answer.json();
    let data = document["data"].as_array().unwrap();
    assert_eq!(data.len(), 1_000);
    for (index, item) in data.iter().enumerate() {
        assert_eq!(item["index"], index);
        let alone = &data[index % 50]["embedding"];
        assert_eq!(&item["embedding"], alone, "{index}");
    }
}
