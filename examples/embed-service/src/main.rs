//! A service on a current-thread runtime that embeds the lines of standard input, one at
//! a time, and goes on with its other work meanwhile.
//!
//! ```text
//! printf 'first\nsecond\n' | embed-service BUNDLE TRUST_DIR
//! ```
//!
//! The other work here is a heartbeat every 10 ms. Guests run on threads that the host owns, so
//! the heart keeps beating while one computes; how late the latest beat came is printed with each
//! answer.

#![allow(clippy::print_stdout, reason = "it answers there")]

use std::cell::Cell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use ampoule::{Host, LoadOptions};
use tokio::io::{AsyncBufReadExt as _, BufReader};

const BEAT: Duration = Duration::from_millis(10);

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut arguments = std::env::args_os().skip(1);
    let (Some(bundle), Some(trust)) = (arguments.next(), arguments.next()) else {
        return Err("usage: embed-service BUNDLE TRUST_DIR".into());
    };

    let latest = Rc::new(Cell::new(Duration::ZERO));
    let local = tokio::task::LocalSet::new();
    local.spawn_local(beat(Rc::clone(&latest)));
    local
        .run_until(async {
            // What the directory says later holds for the model that is loaded now, too, and a newer
            // release that is put in the model's place gets the lines from then on.
            let host = Host::builder().trust_directory(trust).build()?;
            let live = host.follow(bundle, LoadOptions::default()).await?;
            let mut lines = BufReader::new(tokio::io::stdin()).lines();
            while let Some(line) = lines.next_line().await? {
                latest.set(Duration::ZERO);
                // A refused or stopped request is an answer too: the service lives on.
                match live.model().embed_text(&[&line]).await {
                    Ok(answer) => println!(
                        "{} dimensions, {} tokens, {} of fuel",
                        answer.output.dimensions,
                        answer.output.usage.input_tokens,
                        answer.sandbox.fuel
                    ),
                    Err(error) => println!("[{}] {error}", error.code()),
                }
                // A beat that this request delayed comes now.
                tokio::time::sleep(2 * BEAT).await;
                println!("latest beat: {} us", latest.get().as_micros());
            }
            Ok(())
        })
        .await
}

/// Beats for ever and keeps the worst lateness.
async fn beat(latest: Rc<Cell<Duration>>) {
    loop {
        let due = Instant::now() + BEAT;
        tokio::time::sleep_until(due.into()).await;
        latest.set(latest.get().max(due.elapsed()));
    }
}
