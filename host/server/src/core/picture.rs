//! Pictures of requests: `data:` addresses and bare base64.

use ampoule::Image;
use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use data_url::DataUrl;

use crate::error::ApiError;

/// Clients differ in whether they pad.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Reads the picture of a `data:` address. Other addresses are refused, and never fetched: the sandbox's host must not
/// be made to ask others for a caller.
pub(crate) fn from_data_url(url: &str, param: &str) -> Result<Image, ApiError> {
    let refused =
        |message: &str| ApiError::invalid(param.to_owned(), format!("`{param}`: {message}"));
    let address = url.trim_start();
    let scheme = address.split_once(':').map(|(scheme, _)| scheme);
    if !scheme.is_some_and(|scheme| scheme.eq_ignore_ascii_case("data")) {
        return Err(refused(
            "a picture is expected as a data: URI, such as data:image/png;base64,…; nothing is fetched from elsewhere",
        ));
    }
    let url = DataUrl::process(address)
        .map_err(|_| refused("this data: URI has no comma before its data"))?;
    let (bytes, _) = url
        .decode_to_vec()
        .map_err(|_| refused("the data of this data: URI is not base64"))?;
    image(bytes, param)
}

/// Reads a picture of bare base64, or of a `data:` address where clients send one.
pub(crate) fn from_base64(text: &str, param: &str) -> Result<Image, ApiError> {
    if text
        .get(..5)
        .is_some_and(|start| start.eq_ignore_ascii_case("data:"))
    {
        return from_data_url(text, param);
    }
    let bytes = LENIENT.decode(text.trim());
    let bytes = bytes.map_err(|_| {
        ApiError::invalid(
            param.to_owned(),
            format!("`{param}`: a picture is expected in base64"),
        )
    })?;
    image(bytes, param)
}

fn image(bytes: Vec<u8>, param: &str) -> Result<Image, ApiError> {
    if bytes.is_empty() {
        return Err(ApiError::invalid(
            param.to_owned(),
            format!("`{param}`: this picture has no bytes"),
        ));
    }
    Ok(Image::Encoded(bytes))
}
