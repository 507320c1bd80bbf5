//! Reading a model's files in bounded pieces, straight into the place where they stay.

use std::io;

use crate::Error;
use crate::asset_source::{AssetSource, Host};

/// Bytes asked for at once. Large enough that the cost of a call into the host vanishes, small
/// enough that the copy which the host puts into the guest's memory does not count beside weights.
const PIECE_BYTES: usize = 256 << 10;

/// The model's files, as long as [`Model::load`](crate::Model::load) runs.
pub struct Assets {
    source: Box<dyn AssetSource>,
}

impl Assets {
    /// Reads the files that the host has verified.
    pub(crate) fn from_host() -> Self {
        Self::from_source(Host)
    }

    /// Reads the files of another source: for tests.
    pub fn from_source(source: impl AssetSource + 'static) -> Self {
        Assets {
            source: Box::new(source),
        }
    }

    /// Returns the size in bytes of the file `name`.
    ///
    /// # Errors
    ///
    /// `asset.not-found`.
    pub fn size(&self, name: &str) -> Result<u64, Error> {
        self.source.size(name)
    }

    /// Fills `place` with the bytes of the file `name` that start at `offset`.
    ///
    /// Beside `place`, one piece of 256 KiB is in memory at a time.
    ///
    /// # Errors
    ///
    /// `asset.not-found`; `asset.out-of-range` when the file ends before `place` is full.
    pub fn read_into(&self, name: &str, offset: u64, place: &mut [u8]) -> Result<(), Error> {
        let mut filled = 0;
        self.read_pieces(name, offset, place.len() as u64, |piece| {
            place[filled..filled + piece.len()].copy_from_slice(piece);
            filled += piece.len();
            Ok(())
        })
    }

    /// Hands `take` the `len` bytes of the file `name` that start at `offset`, a piece at a time, in order. Each piece
    /// but the last has a length that is a multiple of 8, so that none splits a number.
    ///
    /// # Errors
    ///
    /// `asset.not-found`; `asset.out-of-range` when the file ends too early; whatever `take`
    /// gives.
    pub fn read_pieces(
        &self,
        name: &str,
        offset: u64,
        len: u64,
        mut take: impl FnMut(&[u8]) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let mut done = 0;
        // What is left over of a piece whose length the host chose not to be a multiple of 8.
        let mut rest = Vec::new();
        while done < len {
            let ask = (len - done).min(PIECE_BYTES as u64);
            let position = offset
                .checked_add(done)
                .ok_or_else(|| ended_early(name, offset, len))?;
            let mut piece = self.piece(name, position, ask as u32)?;
            done += piece.len() as u64;
            if !rest.is_empty() {
                rest.append(&mut piece);
                std::mem::swap(&mut rest, &mut piece);
            }
            let whole = if done == len {
                piece.len()
            } else {
                piece.len() / 8 * 8
            };
            take(&piece[..whole])?;
            rest.extend_from_slice(&piece[whole..]);
        }
        Ok(())
    }

    /// Returns from 1 to `len` bytes of the file `name`, starting at byte `offset`, where `len` is not 0.
    fn piece(&self, name: &str, offset: u64, len: u32) -> Result<Vec<u8>, Error> {
        let piece = self.source.read(name, offset, len)?;
        if piece.is_empty() || piece.len() > len as usize {
            return Err(ended_early(name, offset, u64::from(len)));
        }
        Ok(piece)
    }

    /// Reads the whole file `name`, which must be at most `max_bytes` long: for configurations and the
    /// like, whose size the model's author knows.
    ///
    /// # Errors
    ///
    /// `asset.not-found`; `model.file-size` when it is longer.
    pub fn read_to_vec(&self, name: &str, max_bytes: usize) -> Result<Vec<u8>, Error> {
        let size = self.size(name)?;
        let len = usize::try_from(size)
            .ok()
            .filter(|&len| len <= max_bytes)
            .ok_or_else(|| {
                Error::new(
                    "model.file-size",
                    format!("expected at most {max_bytes} bytes in `{name}`, found {size}"),
                )
            })?;
        let mut bytes = vec![0; len];
        self.read_into(name, 0, &mut bytes)?;
        Ok(bytes)
    }

    /// Reads the whole file `name` as UTF-8 text, with the limit of
    /// [`read_to_vec`](Assets::read_to_vec).
    ///
    /// # Errors
    ///
    /// Those of `read_to_vec`; `model.file-encoding` when it is no UTF-8.
    pub fn read_to_string(&self, name: &str, max_bytes: usize) -> Result<String, Error> {
        String::from_utf8(self.read_to_vec(name, max_bytes)?).map_err(|found| {
            Error::new(
                "model.file-encoding",
                format!("expected UTF-8 in `{name}`: {found}"),
            )
        })
    }

    /// Opens the file `name` as a stream, for parsers that take a [`std::io::Read`]. The stream reads in pieces and
    /// needs no buffer around it.
    ///
    /// # Errors
    ///
    /// `asset.not-found`. Errors of reading come as [`io::Error`] with the [`Error`] inside, among them
    /// `asset.out-of-range` when the host stops before the file's end.
    pub fn reader<'a>(&'a self, name: &'a str) -> Result<Reader<'a>, Error> {
        Ok(Reader {
            assets: self,
            name,
            size: self.size(name)?,
            offset: 0,
            piece: Vec::new(),
            read: 0,
        })
    }
}

impl std::fmt::Debug for Assets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Assets").finish_non_exhaustive()
    }
}

fn ended_early(name: &str, offset: u64, len: u64) -> Error {
    Error::new(
        "asset.out-of-range",
        format!("expected {len} bytes at offset {offset} of `{name}`, found its end"),
    )
}

/// A file as a stream of bytes; made by [`Assets::reader`].
#[derive(Debug)]
pub struct Reader<'a> {
    assets: &'a Assets,
    name: &'a str,
    size: u64,
    /// Start in the file of the piece after `piece`.
    offset: u64,
    piece: Vec<u8>,
    /// Bytes of `piece` that were handed out.
    read: usize,
}

impl io::Read for Reader<'_> {
    fn read(&mut self, place: &mut [u8]) -> io::Result<usize> {
        let rest = io::BufRead::fill_buf(self)?;
        let count = rest.len().min(place.len());
        place[..count].copy_from_slice(&rest[..count]);
        io::BufRead::consume(self, count);
        Ok(count)
    }
}

impl io::BufRead for Reader<'_> {
    fn fill_buf(&mut self) -> io::Result<&[u8]> {
        if self.read == self.piece.len() && self.offset < self.size {
            let ask = (self.size - self.offset).min(PIECE_BYTES as u64);
            self.piece = self
                .assets
                .piece(self.name, self.offset, ask as u32)
                .map_err(io::Error::other)?;
            self.read = 0;
            self.offset += self.piece.len() as u64;
        }
        Ok(&self.piece[self.read..])
    }

    fn consume(&mut self, count: usize) {
        self.read = (self.read + count).min(self.piece.len());
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test may fail loudly")]

    use std::io::Read as _;

    use super::*;

    /// A host that gives the odd number of bytes at a time.
    struct Grudging(Vec<u8>);

    impl AssetSource for Grudging {
        fn size(&self, _: &str) -> Result<u64, Error> {
            Ok(self.0.len() as u64)
        }

        fn read(&self, _: &str, offset: u64, len: u32) -> Result<Vec<u8>, Error> {
            let rest = &self.0[offset as usize..];
            Ok(rest[..rest.len().min(len as usize).min(1001)].to_vec())
        }
    }

    fn bytes() -> Vec<u8> {
        (0..300_000u32).map(|i| (i * 7 + i / 251) as u8).collect()
    }

    #[test]
    fn a_host_that_gives_less_than_asked_is_asked_again() {
        let assets = Assets::from_source(Grudging(bytes()));
        assert_eq!(assets.read_to_vec("x", 300_000).unwrap(), bytes());
        let mut part = vec![0; 5000];
        assets.read_into("x", 77, &mut part).unwrap();
        assert_eq!(part, bytes()[77..5077]);
        let mut streamed = Vec::new();
        assets
            .reader("x")
            .unwrap()
            .read_to_end(&mut streamed)
            .unwrap();
        assert_eq!(streamed, bytes());
    }

    #[test]
    fn a_piece_never_splits_a_number() {
        let assets = Assets::from_source(Grudging(bytes()));
        let (mut joined, mut lengths) = (Vec::new(), Vec::new());
        assets
            .read_pieces("x", 8, 250_004, |piece| {
                joined.extend_from_slice(piece);
                lengths.push(piece.len());
                Ok(())
            })
            .unwrap();
        assert_eq!(joined, bytes()[8..250_012]);
        let (_, before_last) = lengths.split_last().unwrap();
        assert!(before_last.iter().all(|length| length % 8 == 0));
    }

    #[test]
    fn a_file_that_ends_too_early_is_an_error() {
        let assets = Assets::from_source(std::collections::BTreeMap::from([(
            "x".to_owned(),
            vec![1, 2, 3],
        )]));
        let code = |result: Result<(), Error>| result.unwrap_err().code;
        let mut place = [0; 4];
        assert_eq!(
            code(assets.read_into("x", 0, &mut place)),
            "asset.out-of-range"
        );
        assert_eq!(
            code(assets.read_into("x", 9, &mut place)),
            "asset.out-of-range"
        );
        assert_eq!(
            code(assets.read_into("x", u64::MAX, &mut place)),
            "asset.out-of-range"
        );
        assert_eq!(
            code(assets.read_into("y", 0, &mut place)),
            "asset.not-found"
        );
    }

    #[test]
    fn a_host_that_falls_silent_before_the_end_is_an_error_and_no_end() {
        /// Says a size, and gives less.
        struct Silent;
        impl AssetSource for Silent {
            fn size(&self, _: &str) -> Result<u64, Error> {
                Ok(10)
            }
            fn read(&self, _: &str, offset: u64, _: u32) -> Result<Vec<u8>, Error> {
                Ok(vec![7; 6_usize.saturating_sub(offset as usize)])
            }
        }
        let assets = Assets::from_source(Silent);
        let mut streamed = Vec::new();
        let found = assets.reader("x").unwrap().read_to_end(&mut streamed);
        let error = found.unwrap_err().into_inner().unwrap();
        let error = error.downcast_ref::<Error>().unwrap();
        assert_eq!(error.code, "asset.out-of-range");
        assert_eq!(streamed, [7; 6]);
        assert_eq!(
            assets.read_to_vec("x", 10).unwrap_err().code,
            "asset.out-of-range"
        );
    }

    #[test]
    fn a_host_that_gives_more_than_asked_is_refused() {
        struct Generous;
        impl AssetSource for Generous {
            fn size(&self, _: &str) -> Result<u64, Error> {
                Ok(4)
            }
            fn read(&self, _: &str, _: u64, _: u32) -> Result<Vec<u8>, Error> {
                Ok(vec![7; 5])
            }
        }
        let assets = Assets::from_source(Generous);
        assert!(assets.read_to_vec("x", 4).is_err());
        assert!(
            assets
                .reader("x")
                .unwrap()
                .read_to_end(&mut Vec::new())
                .is_err()
        );
    }

    #[test]
    fn a_file_over_its_limit_is_refused_before_it_is_read() {
        struct Giant;
        impl AssetSource for Giant {
            fn size(&self, _: &str) -> Result<u64, Error> {
                Ok(1 << 60)
            }
            fn read(&self, _: &str, _: u64, _: u32) -> Result<Vec<u8>, Error> {
                Err(Error::new("test.read", "was read"))
            }
        }
        let assets = Assets::from_source(Giant);
        assert_eq!(
            assets.read_to_vec("x", 100).unwrap_err().code,
            "model.file-size"
        );
    }
}
