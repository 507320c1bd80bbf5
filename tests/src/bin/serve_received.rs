//! A process that serves: it is given one loaded model over a Unix socket, and opens no file and no connection.
//!
//! Standard input is the socket. A model comes first, then questions, a line each: `embed TEXT`, `generate TEXT`.
//! Answers go to standard output, a line of JSON each. The model is received under a filter on system calls by which
//! the process is killed that opens anything.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test's harness fails by panicking, and answers on standard output"
)]

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Write as _};
use std::os::fd::AsFd as _;
use std::os::unix::net::UnixStream;

use ampoule_sandbox::code::native_code::CodeMapping;
use ampoule_sandbox::wire::LoadingProcess;
use ampoule_sandbox::{Limits, Result};
use ampoule_serve::{GenerationRequest, Model, Server, ServerSettings};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};
use serde_json::{Value, json};

fn main() {
    let socket = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    let socket = UnixStream::from(socket);
    let settings = ServerSettings {
        mapping: CodeMapping::Copy,
        threads: Some(2),
        ..ServerSettings::default()
    };
    let server = Server::start(settings).unwrap();

    refuse_to_open();
    let loading = LoadingProcess::at_the_other_end_of(socket.try_clone().unwrap()).unwrap();
    let model = loading.receive(&Limits::default()).unwrap().unwrap();
    block_on(async {
        let model = server.serve(model).await.unwrap();
        for line in BufReader::new(socket).lines() {
            let line = line.unwrap();
            let (task, text) = line.split_once(' ').unwrap();
            let answer = match task {
                "embed" => embed(&model, text).await,
                "generate" => generate(&model, text).await,
                other => panic!("there is no task {other}"),
            };
            let answer = answer.unwrap_or_else(|error| json!({ "refused": error.code() }));
            println!("{answer}");
            std::io::stdout().flush().unwrap();
        }
    });
}

async fn embed(model: &Model, text: &str) -> Result<Value> {
    let answer = model.embed_text(&[text]).await?;
    Ok(json!(answer.output.values))
}

async fn generate(model: &Model, text: &str) -> Result<Value> {
    let mut generation = model
        .generate(GenerationRequest::question(text, 100))
        .await?;
    let mut chunks = Vec::new();
    while let Some(chunk) = generation.next().await? {
        chunks.push(chunk.text);
    }
    Ok(json!(chunks))
}

/// Kills this process as soon as one of its threads opens a file or a connection, or starts a program.
fn refuse_to_open() {
    let mut calls = vec![
        libc::SYS_openat,
        libc::SYS_openat2,
        libc::SYS_open_by_handle_at,
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_socket,
        libc::SYS_connect,
    ];
    #[cfg(target_arch = "x86_64")]
    calls.extend([libc::SYS_open, libc::SYS_creat]);
    let rules: BTreeMap<_, _> = calls.drain(..).map(|call| (call, Vec::new())).collect();
    let filter = SeccompFilter::new(
        rules,
        SeccompAction::Allow,
        SeccompAction::KillProcess,
        std::env::consts::ARCH.try_into().unwrap(),
    )
    .unwrap();
    let filter: BpfProgram = filter.try_into().unwrap();
    seccompiler::apply_filter_all_threads(&filter).unwrap();
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .unwrap()
        .block_on(future)
}
