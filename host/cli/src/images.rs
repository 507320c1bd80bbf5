//! The pictures of a command: files, one of which may be standard input.

use std::io::Read;
use std::path::{Path, PathBuf};

use ampoule::InputChecks as _;
use ampoule::{Image, Limit, Limits};

use crate::error::Error;

/// Reads pictures and checks each against the limits at once. Of a file that is too long, one byte over the limit is
/// read.
pub(crate) fn read(paths: &[PathBuf], limits: &Limits) -> Result<Vec<Image>, Error> {
    limits.check_image_count(paths.len())?;
    if paths.iter().filter(|path| is_stdin(path)).count() > 1 {
        return Err(Error::Setting(
            "`-` is given for more than one image; standard input can be read only once".to_owned(),
        ));
    }
    let numbered = paths.iter().enumerate();
    numbered
        .map(|(index, path)| read_one(path, index + 1, limits))
        .collect()
}

fn read_one(path: &Path, place: usize, limits: &Limits) -> Result<Image, Error> {
    let most = limits.image.bytes();
    let unreadable = |error: std::io::Error| Error::Read {
        what: format!("image {place}"),
        reason: error.to_string(),
    };
    let (read, length) = if is_stdin(path) {
        (read_bounded(std::io::stdin().lock(), most), None)
    } else {
        let file = std::fs::File::open(path).map_err(unreadable)?;
        // A pipe or a device has no length that means anything.
        let found = file.metadata().ok().filter(std::fs::Metadata::is_file);
        (read_bounded(file, most), found.map(|found| found.len()))
    };
    let bytes = read.map_err(unreadable)?.ok_or_else(|| Error::Image {
        place,
        error: ampoule::Error::TooLarge {
            limit: Some(Limit::Image),
            what: "bytes in one image".into(),
            found: match length.filter(|length| *length > most) {
                Some(length) => length.to_string(),
                None => format!("more than {most}"),
            },
            allowed: most.to_string(),
        },
    })?;
    let image = Image::Encoded(bytes);
    limits
        .check_image(&image)
        .map_err(|error| Error::Image { place, error })?;
    Ok(image)
}

/// Reads everything; `None` when that is more than `most` bytes.
fn read_bounded(source: impl Read, most: u64) -> std::io::Result<Option<Vec<u8>>> {
    let mut bytes = Vec::new();
    source
        .take(most.saturating_add(1))
        .read_to_end(&mut bytes)?;
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn no_more_than_one_byte_over_the_limit_is_read() {
        let mut endless = std::io::repeat(7);
        assert_eq!(read_bounded(&mut endless, 1_000).unwrap(), None);
        let mut source = std::io::Cursor::new([7; 20]);
        assert_eq!(read_bounded(&mut source, 9).unwrap(), None);
        assert_eq!(source.position(), 10);
        let whole = read_bounded(&[7_u8; 9][..], 9).unwrap();
        assert_eq!(whole, Some(vec![7; 9]));
        assert_eq!(read_bounded(&[][..], 0).unwrap(), Some(Vec::new()));
    }
}
