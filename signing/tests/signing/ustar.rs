//! A packed bundle's member, written from POSIX.1-1988 and not by the library: a header of the format
//! "ustar", the content, and zeros up to a whole block.

const BLOCK: usize = 512;

/// One file of an archive: a regular one of mode 0644, of nobody in particular, from the year 1970. The
/// path has at most 100 bytes.
pub(crate) fn member(path: &str, content: &[u8]) -> Vec<u8> {
    let mut member = vec![0; BLOCK];
    let mut put =
        |at: usize, text: &str| member[at..][..text.len()].copy_from_slice(text.as_bytes());
    put(0, path);
    for (at, octal) in [(100, "0000644"), (108, "0000000"), (116, "0000000")] {
        put(at, octal);
    }
    put(124, &format!("{:011o}", content.len()));
    put(136, "00000000000");
    put(148, "        ");
    put(156, "0");
    put(257, "ustar");
    put(263, "00");
    put(329, "0000000");
    put(337, "0000000");
    let sum: u32 = member.iter().map(|byte| u32::from(*byte)).sum();
    member[148..156].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    member.extend_from_slice(content);
    member.resize(member.len().next_multiple_of(BLOCK), 0);
    member
}
