//! Pictures of requests: `data:` addresses and bare base64.
//!
//! Each picture is decoded only as far as [`Limits::image`] allows. The model decodes the file itself, in its sandbox.

use ampoule::{Image, Limits};
use data_url::DataUrl;
use data_url::forgiving_base64::{DecodeError, Decoder};

use crate::error::ApiError;
use crate::said::{Said, said};

/// Bytes of a `data:` address before its data: a media type and a parameter or two.
const MAX_HEAD_BYTES: usize = 256;

/// The scheme that pictures come in.
const DATA: &str = "data:";

/// Reads the picture of a `data:` address. Other addresses are refused, and never fetched: the sandbox's host must not
/// be made to ask others for a caller.
///
/// # Errors
///
/// `input.invalid`, and `input.too-large` for more bytes than [`Limits::image`]; both name `param`.
pub(crate) fn from_data_url(url: &str, param: &Said, limits: &Limits) -> Result<Image, ApiError> {
    let refused = |message: &'static str| refusal(param, message);
    let address = url.trim_start();
    if !is_data_url(address) {
        return Err(refused(if is_address(address) {
            "a picture is expected as a data: URI, such as data:image/png;base64,…, and an address was found; nothing is \
             fetched from elsewhere"
        } else {
            "a picture is expected as a data: URI; put data:image/png;base64, before the base64 of a PNG, or \
             data:image/jpeg;base64, before that of a JPEG"
        }));
    }
    // What stands before the data is read in time that grows with its square.
    let has_data = address
        .as_bytes()
        .iter()
        .take(MAX_HEAD_BYTES)
        .any(|byte| *byte == b',');
    if !has_data {
        return Err(refused(
            "this data: URI has no comma before its data, within its first 256 bytes",
        ));
    }
    let url = DataUrl::process(address)
        .map_err(|_| refused("this data: URI has no comma before its data"))?;
    let mut picture = Bounded::new(limits);
    match url.decode(|bytes| picture.extend(bytes)) {
        Ok(_) => picture.finish(param),
        Err(DecodeError::WriteError(TooLarge)) => Err(too_large(param, limits)),
        Err(DecodeError::InvalidBase64(_)) => {
            Err(refused("the data of this data: URI is not base64"))
        }
    }
}

/// Reads a picture of bare base64, or of a `data:` address where clients send one. Line breaks and missing padding are
/// forgiven, as clients differ in both.
///
/// # Errors
///
/// As those of [`from_data_url`].
pub(crate) fn from_base64(text: &str, param: &Said, limits: &Limits) -> Result<Image, ApiError> {
    if is_data_url(text.trim_start()) {
        return from_data_url(text, param, limits);
    }
    let mut picture = Bounded::new(limits);
    let mut decoder = Decoder::new(|bytes: &[u8]| picture.extend(bytes));
    let decoded = decoder.feed(text.as_bytes());
    match decoded.and_then(|()| decoder.finish()) {
        Ok(()) => picture.finish(param),
        Err(DecodeError::WriteError(TooLarge)) => Err(too_large(param, limits)),
        Err(DecodeError::InvalidBase64(_)) => {
            Err(refusal(param, "a picture is expected in base64"))
        }
    }
}

/// Tells whether a text is a `data:` address. The scheme's letters may be of either case.
pub(crate) fn is_data_url(text: &str) -> bool {
    let start = text.get(..DATA.len());
    start.is_some_and(|start| start.eq_ignore_ascii_case(DATA))
}

/// Tells whether a text has a scheme, as no base64 does.
fn is_address(text: &str) -> bool {
    text.contains(':')
}

/// More bytes than a picture may have.
struct TooLarge;

/// Bytes of a picture, as many as it may have.
struct Bounded {
    bytes: Vec<u8>,
    most: usize,
}

impl Bounded {
    fn new(limits: &Limits) -> Self {
        Self {
            bytes: Vec::new(),
            most: usize::try_from(limits.image.bytes()).unwrap_or(usize::MAX),
        }
    }

    fn extend(&mut self, bytes: &[u8]) -> Result<(), TooLarge> {
        if bytes.len() > self.most - self.bytes.len() {
            return Err(TooLarge);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    fn finish(self, param: &Said) -> Result<Image, ApiError> {
        if self.bytes.is_empty() {
            return Err(refusal(param, "this picture has no bytes"));
        }
        Ok(Image::Encoded(self.bytes))
    }
}

fn refusal(param: &Said, message: &'static str) -> ApiError {
    ApiError::invalid(param.clone(), said!("`{}`: {}", param, message))
}

fn too_large(param: &Said, limits: &Limits) -> ApiError {
    let allowed = limits.image;
    ApiError::too_large(
        param.clone(),
        said!(
            "`{}`: this picture has more than {}, which is the most here; send a smaller one",
            param,
            allowed
        ),
    )
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use ampoule::ByteSize;

    use super::*;

    const PARAM: &str = "messages[0].content[1].image_url";

    fn limits(bytes: u64) -> Limits {
        Limits {
            image: ByteSize::from_bytes(bytes),
            ..Limits::default()
        }
    }

    #[test]
    fn a_picture_is_read_from_a_data_address_however_it_is_written() {
        let hello = Image::Encoded(b"hello".to_vec());
        for url in [
            "data:image/png;base64,aGVsbG8=",
            "DATA:image/png;base64,aGVsbG8",
            " data:;base64,aGVs\nbG8=",
            "data:image/png,hel%6Co",
        ] {
            assert_eq!(
                from_data_url(url, &PARAM.into(), &limits(5)),
                Ok(hello.clone())
            );
            assert_eq!(
                from_base64(url, &PARAM.into(), &limits(5)),
                Ok(hello.clone())
            );
        }
        for text in ["aGVsbG8=", "aGVsbG8", "aGVs\r\nbG8=\n"] {
            assert_eq!(
                from_base64(text, &PARAM.into(), &limits(5)),
                Ok(hello.clone())
            );
        }
    }

    #[test]
    fn other_addresses_and_bare_base64_are_refused_with_the_way_out() {
        for (url, hint) in [
            ("https://example.org/a.png", "nothing is fetched"),
            ("HTTP://[::1]/", "nothing is fetched"),
            ("file:///etc/passwd", "nothing is fetched"),
            ("iVBORw0KGgo=", "put data:image/png;base64, before"),
            ("", "put data:image/png;base64, before"),
            ("data:image/png;base64", "no comma"),
            ("data:image/png;base64,é", "not base64"),
            ("data:image/png;base64,", "no bytes"),
        ] {
            let error = from_data_url(url, &PARAM.into(), &Limits::default()).unwrap_err();
            assert_eq!(error.status, 400, "{url}");
            assert_eq!(error.param.as_deref(), Some(PARAM));
            assert!(error.message.contains(hint), "{}", error.message);
        }
        for text in ["https://example.org/a.png", "a", "a-_b", ""] {
            let error = from_base64(text, &PARAM.into(), &Limits::default()).unwrap_err();
            assert_eq!(error.code, "input.invalid", "{text}");
        }
    }

    #[test]
    fn a_picture_is_decoded_as_far_as_the_limit_and_no_further() {
        // Sixty bytes of text after the limit are never looked at: they are not base64.
        let long = format!("aGVsbG8h{}", "!".repeat(60));
        let urls = [format!("data:;base64,{long}"), "data:,hello!".to_owned()];
        for url in &urls {
            let error = from_data_url(url, &PARAM.into(), &limits(5)).unwrap_err();
            assert_eq!(error.code, "input.too-large", "{}", error.message);
        }
        let error = from_base64(&long, &PARAM.into(), &limits(5)).unwrap_err();
        assert_eq!(error.code, "input.too-large");
    }
}
