//! Memory for the content of a file.

use std::io;

use bytes::Bytes;
#[cfg(target_os = "linux")]
use memmap2::Advice;
use memmap2::MmapMut;
#[cfg(target_os = "linux")]
use rayon::iter::{IntoParallelIterator as _, ParallelIterator as _};

/// From this size on, the system is asked for the pages in advance. To be given them one at a time, at the
/// first touch of each, costs as much as to hash what is in them.
const LARGE: usize = 8 << 20;

/// Bytes that are asked for at a time, so that all cores share the work of zeroing them.
const STEP: usize = 4 << 20;

/// Zeroed memory.
#[derive(Debug)]
pub(crate) enum FileBuffer {
    Small(Vec<u8>),
    Large(MmapMut),
}

impl FileBuffer {
    pub(crate) fn new(length: usize) -> io::Result<Self> {
        if length < LARGE {
            return Ok(Self::Small(vec![0; length]));
        }
        let memory = MmapMut::map_anon(length)?;
        populate(&memory);
        Ok(Self::Large(memory))
    }

    pub(crate) fn as_mut_slice(&mut self) -> &mut [u8] {
        match self {
            Self::Small(bytes) => bytes,
            Self::Large(memory) => memory,
        }
    }
}

/// Only advice: what a system does not hand out now, it hands out later. (Pages of 2 MiB were slower: the
/// system spends more time on finding them than they save.)
#[cfg(target_os = "linux")]
fn populate(memory: &MmapMut) {
    (0..memory.len().div_ceil(STEP))
        .into_par_iter()
        .for_each(|step| {
            let start = step * STEP;
            let length = STEP.min(memory.len() - start);
            let _ = memory.advise_range(Advice::PopulateWrite, start, length);
        });
}

#[cfg(not(target_os = "linux"))]
fn populate(_: &MmapMut) {}

impl From<FileBuffer> for Bytes {
    fn from(buffer: FileBuffer) -> Self {
        match buffer {
            FileBuffer::Small(bytes) => bytes.into(),
            FileBuffer::Large(memory) => Self::from_owner(memory),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_every_size_begins_as_zeros_and_keeps_what_is_written() {
        for length in [0, 1, LARGE - 1, LARGE, LARGE + 4097] {
            let mut buffer = FileBuffer::new(length).unwrap();
            assert_eq!(buffer.as_mut_slice().len(), length);
            assert!(buffer.as_mut_slice().iter().all(|byte| *byte == 0));
            buffer.as_mut_slice().fill(7);
            let bytes = Bytes::from(buffer);
            assert_eq!(bytes.len(), length);
            assert!(bytes.iter().all(|byte| *byte == 7));
        }
    }
}
