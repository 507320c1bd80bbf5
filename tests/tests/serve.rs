//! `ampoule serve`, asked as its clients ask it.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test may panic"
)]

#[path = "serve/access.rs"]
mod access;
#[path = "serve/access_log.rs"]
mod access_log;
#[path = "serve/access_matrix.rs"]
mod access_matrix;
#[path = "serve/addresses.rs"]
mod addresses;
#[path = "serve/answer_cache.rs"]
mod answer_cache;
#[path = "serve/api_security.rs"]
mod api_security;
#[path = "serve/audit.rs"]
mod audit;
#[path = "serve/audit_guide.rs"]
mod audit_guide;
#[path = "serve/audited.rs"]
mod audited;
#[path = "serve/browsers.rs"]
mod browsers;
#[path = "serve/clients.rs"]
mod clients;
#[path = "serve/configuration.rs"]
mod configuration;
#[path = "serve/connections.rs"]
mod connections;
#[path = "serve/cross_origin.rs"]
mod cross_origin;
#[path = "serve/draining.rs"]
mod draining;
#[path = "serve/embedding_demands.rs"]
mod embedding_demands;
#[path = "serve/fields.rs"]
mod fields;
#[path = "serve/first_requests.rs"]
mod first_requests;
#[path = "serve/floods.rs"]
mod floods;
#[path = "serve/gone_clients.rs"]
mod gone_clients;
#[path = "serve/guarded.rs"]
mod guarded;
#[path = "serve/http2.rs"]
mod http2;
#[path = "serve/http2_floods.rs"]
mod http2_floods;
#[path = "serve/inference.rs"]
mod inference;
#[path = "serve/inference_binary.rs"]
mod inference_binary;
#[path = "../../host/access/tests/access/issuers.rs"]
mod issuers;
#[path = "serve/large_bodies.rs"]
mod large_bodies;
#[path = "serve/loads.rs"]
mod loads;
#[path = "serve/metrics.rs"]
mod metrics;
#[path = "serve/native.rs"]
mod native;
#[path = "serve/ollama.rs"]
mod ollama;
#[path = "serve/openai_chat.rs"]
mod openai_chat;
#[path = "serve/openai_completions.rs"]
mod openai_completions;
#[path = "serve/openai_embeddings.rs"]
mod openai_embeddings;
#[path = "serve/openai_models.rs"]
mod openai_models;
#[path = "serve/openai_responses.rs"]
mod openai_responses;
#[path = "serve/openai_streams.rs"]
mod openai_streams;
#[path = "serve/openapi.rs"]
mod openapi;
#[path = "serve/page.rs"]
mod page;
#[path = "serve/protected_sample.rs"]
mod protected_sample;
#[path = "serve/proxies.rs"]
mod proxies;
#[path = "serve/rate_limits.rs"]
mod rate_limits;
#[path = "serve/readiness.rs"]
mod readiness;
#[path = "serve/sample_proxies.rs"]
mod sample_proxies;
#[path = "serve/secrets.rs"]
mod secrets;
#[path = "serve/silence.rs"]
mod silence;
#[path = "serve/tei.rs"]
mod tei;
#[path = "serve/tls.rs"]
mod tls;
#[path = "serve/tls_clients.rs"]
mod tls_clients;
#[path = "../../host/access/tests/access/token_attacks.rs"]
mod token_attacks;
#[path = "serve/tokens.rs"]
mod tokens;
#[path = "serve/traces.rs"]
mod traces;
#[path = "serve/unread_answers.rs"]
mod unread_answers;
#[path = "serve/untrusted.rs"]
mod untrusted;
#[path = "serve/uploads.rs"]
mod uploads;
#[path = "serve/vectors.rs"]
mod vectors;
