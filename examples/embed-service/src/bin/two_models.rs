//! A service with two models: it streams an answer of one while the other is busy, looks at its counters, and drains.
//!
//! ```text
//! two_models CHAT_BUNDLE EMBEDDING_BUNDLE TRUST_DIR QUESTION
//! ```
//!
//! Two callers share it. `reader` reads a generation as it is written; `indexer` has texts embedded all the while, as many
//! at a time as it likes. Neither keeps the other from its turn.

#![allow(clippy::print_stdout, reason = "it answers there")]

use std::time::Duration;

use ampoule::{CallOptions, GenerationRequest, Host, Model};
use tokio::task::JoinSet;

/// Embedding requests that the indexer has under way.
const BUSY: usize = 32;

/// The longest wait at the end for requests that were accepted.
const PATIENCE: Duration = Duration::from_secs(10);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(chat), Some(embedding), Some(trust), Some(question)) = (
        arguments.next(),
        arguments.next(),
        arguments.next(),
        arguments.next(),
    ) else {
        return Err("usage: two_models CHAT_BUNDLE EMBEDDING_BUNDLE TRUST_DIR QUESTION".into());
    };
    let question = question.to_string_lossy().into_owned();

    let host = Host::builder().trust_directory(trust).build()?;
    let (chat, embedding) = (host.load(chat).await?, host.load(embedding).await?);
    let chat = chat.with_options(of_tenant("reader"))?;
    let embedding = embedding.with_options(of_tenant("indexer"))?;

    let mut indexing = JoinSet::new();
    for number in 0..BUSY {
        indexing.spawn(index(embedding.clone(), number));
    }
    // The indexer is at work once its first text is embedded.
    while host.counters().serving.requests == 0 {
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    let mut generation = chat
        .generate(GenerationRequest::question(question, 64))
        .await?;
    while let Some(chunk) = generation.next().await? {
        // A model writes any characters. A terminal gets harmless ones.
        print!("{}", ampoule::harmless_text(&chunk.text));
        if let Some(finish) = chunk.finish {
            println!("\n[{}]", ampoule::harmless_text(&finish.reason));
        }
    }
    drop(generation);

    let counters = host.counters();
    println!(
        "{} requests and {} steps by then, {} models",
        counters.serving.requests, counters.serving.steps, counters.serving.models
    );
    // Whoever comes from here on is told `limit.busy`; the indexer's requests are answered.
    let has_drained = host.drain(PATIENCE).await;
    let answered = indexing.join_all().await.iter().sum::<usize>();
    println!("drained: {has_drained}, {answered} texts embedded");
    Ok(())
}

fn of_tenant(name: &str) -> CallOptions {
    CallOptions {
        tenant: Some(name.into()),
        ..CallOptions::default()
    }
}

/// Embeds texts one after the other until the host accepts no more, and returns how many there were.
async fn index(model: Model, number: usize) -> usize {
    let mut embedded = 0;
    loop {
        match model
            .embed_text(&[format!("text {number}.{embedded}")])
            .await
        {
            Ok(_) => embedded += 1,
            // The host is being shut down, or too busy: another time.
            Err(error) if error.is_retryable() => return embedded,
            Err(error) => {
                println!("[{}] {error}", error.code());
                return embedded;
            }
        }
    }
}
