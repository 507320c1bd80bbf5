//! Panics of a server, told by their place alone.
//!
//! A panic is a bug, and its message may hold any value of the program: that of a text that is cut within a character
//! holds the text.

use std::panic::PanicHookInfo;

/// Has panics told in the log without their messages, from now on.
pub(crate) fn leave_messages_out() {
    std::panic::set_hook(Box::new(tell));
}

fn tell(panic: &PanicHookInfo<'_>) {
    let place = panic.location();
    let thread = std::thread::current();
    tracing::error!(
        target: "ampoule::server",
        file = place.map(|place| place.file()),
        line = place.map(|place| place.line()),
        thread = thread.name(),
        "a panic, which is a bug of Ampoule; please report it"
    );
}

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "a test may panic")]
mod tests {
    use std::io::{self, Write};
    use std::panic::{catch_unwind, set_hook, take_hook};
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<u8>>>);

    impl Write for Log {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_panic_is_logged_with_its_place_and_without_its_message() {
        let log = Log::default();
        let writer = log.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let (before, here) = (take_hook(), std::thread::current().id());
        // Other tests panic as they did.
        set_hook(Box::new(move |panic| {
            if std::thread::current().id() == here {
                tell(panic);
            } else {
                before(panic);
            }
        }));
        let panicked = tracing::subscriber::with_default(subscriber, || {
            catch_unwind(|| {
                let text = format!("é{}", "SECRET");
                text.split_at(1).0.to_owned()
            })
        });
        let _ = take_hook();
        let message = panicked.unwrap_err().downcast::<String>().unwrap();
        assert!(message.contains("SECRET"), "{message}");
        let told = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
        assert!(told.contains("a panic") && told.contains("line="), "{told}");
        assert!(!told.contains("SECRET"), "{told}");
    }
}
