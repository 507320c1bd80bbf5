//! Reading with an identity: rows in order, each of a frame that was verified.

use std::collections::VecDeque;

use crate::error::{Error, Result};
use crate::fault::{Fault, FaultKind};
use crate::frame::{Frame, Kind};
use crate::row::NumberedRow;
use crate::seal::Identity;
use crate::storage::LogSource;
use crate::verify::{Marks, Report, Walk};

/// Rows of a log, in order. It ends at the first fault: rows before it are as they were written.
pub struct Rows<'r, S: LogSource> {
    walk: Walk<'r, S>,
    identity: &'r Identity,
    waiting: VecDeque<ReadRow>,
    is_done: bool,
}

/// A row, as a line of JSON and read.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct ReadRow {
    /// The line as it was written, without its end.
    pub line: String,
    /// Fields of the line.
    pub row: NumberedRow,
}

impl<'r, S: LogSource> Rows<'r, S> {
    /// Begins before the first row that is there.
    ///
    /// # Errors
    ///
    /// [`Error::Fault`] where there is no segment; `io.audit`.
    pub fn new(source: &'r S, marks: &'r Marks, identity: &'r Identity) -> Result<Self> {
        Ok(Self {
            walk: Walk::new(source, marks)?,
            identity,
            waiting: VecDeque::new(),
            is_done: false,
        })
    }

    /// Returns what was verified, once all rows were read.
    ///
    /// # Errors
    ///
    /// `internal.bug` before.
    pub fn report(&self) -> Result<Report> {
        self.walk.report()
    }

    fn read(&mut self) -> Result<Option<ReadRow>> {
        loop {
            if let Some(row) = self.waiting.pop_front() {
                return Ok(Some(row));
            }
            let Some(frame) = self.walk.next_frame()? else {
                return Ok(None);
            };
            if frame.header.kind == Kind::Batch {
                self.waiting = open(&frame, self.walk.at_segment(), self.identity)?;
            }
        }
    }
}

impl<S: LogSource> Iterator for Rows<'_, S> {
    type Item = Result<ReadRow>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.is_done {
            return None;
        }
        let row = self.read().transpose();
        self.is_done = !matches!(row, Some(Ok(_)));
        row
    }
}

impl<S: LogSource> std::fmt::Debug for Rows<'_, S> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Rows")
            .field("identity", &self.identity)
            .finish_non_exhaustive()
    }
}

/// Opens a batch, and holds its rows to the numbers of its frame.
fn open(frame: &Frame, segment: u64, identity: &Identity) -> Result<VecDeque<ReadRow>> {
    let header = frame.header;
    let fault = |found| Error::Fault(Fault::new(FaultKind::Rows, segment, header.seq, found));
    let lines = identity.open(&frame.payload).ok_or_else(|| {
        Error::Identity(format!(
            "the identity does not open the rows of segment {segment}, frame {}: they are sealed to others; name the \
             identity of one of the recipients",
            header.seq
        ))
    })?;
    let text = String::from_utf8(lines).map_err(|_| fault("the batch holds no lines of text"))?;
    let mut rows = VecDeque::new();
    for (line, number) in text.lines().zip(header.first_row..) {
        let row: NumberedRow = serde_json::from_str(line)
            .map_err(|_| fault("the batch holds a line that is no row"))?;
        if row.number != number {
            return Err(fault("the batch's rows do not have the frame's numbers"));
        }
        let line = line.to_owned();
        rows.push_back(ReadRow { line, row });
    }
    if rows.len() as u64 != u64::from(header.rows) {
        return Err(fault(
            "the batch does not hold as many rows as its frame announces",
        ));
    }
    Ok(rows)
}
