//! Markers between segments and in a scan's data (T.81, B.1.1.2).

/// Returns the next marker's code and the bytes after it. Bytes before it are passed over, among them any number of
/// 0xff that fill the place before a marker.
pub(super) fn next_marker(mut bytes: &[u8]) -> Option<(u8, &[u8])> {
    loop {
        let at = bytes.iter().position(|&byte| byte == 0xff)?;
        let after = bytes[at..].iter().position(|&byte| byte != 0xff)?;
        let code = bytes[at + after];
        bytes = &bytes[at + after + 1..];
        if code != 0 {
            return Some((code, bytes));
        }
    }
}
