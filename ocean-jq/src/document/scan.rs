//! Finding the end of strings eight bytes at a time, without unsafe code.

const ONES: u64 = 0x0101_0101_0101_0101;
const HIGHS: u64 = 0x8080_8080_8080_8080;

/// High bit set in each byte of `word` that is zero; exact for the lowest such byte.
const fn zero_bytes(word: u64) -> u64 {
    word.wrapping_sub(ONES) & !word & HIGHS
}

/// The position of the first quote, backslash or control character at or after `from`.
pub(super) fn string_end(bytes: &[u8], mut from: usize) -> usize {
    while let Some(chunk) = bytes.get(from..).and_then(<[u8]>::first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        let quotes = zero_bytes(word ^ (ONES * b'"' as u64));
        let backslashes = zero_bytes(word ^ (ONES * b'\\' as u64));
        let controls = word.wrapping_sub(ONES * 0x20) & !word & HIGHS;
        let hits = quotes | backslashes | controls;
        if hits != 0 {
            return from + (hits.trailing_zeros() / 8) as usize;
        }
        from += 8;
    }
    while let Some(&byte) = bytes.get(from) {
        if byte == b'"' || byte == b'\\' || byte < 0x20 {
            return from;
        }
        from += 1;
    }
    from
}

/// The position of the first byte at or after `from` that is no white space.
#[inline(always)]
pub(super) fn skip_space(bytes: &[u8], mut from: usize) -> usize {
    while let Some(b' ' | b'\n' | b'\t' | b'\r') = bytes.get(from) {
        from += 1;
    }
    from
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_every_stop_at_every_offset() {
        for stop in [b'"', b'\\', 0x00, 0x1f] {
            for at in 0..40 {
                let mut text = vec![b'x'; 40];
                text[at] = stop;
                text[39 - at / 2] |= 0x80;
                text[at] = stop;
                assert_eq!(string_end(&text, 0), at);
            }
        }
        assert_eq!(string_end("üñ😀üñ😀!".as_bytes(), 0), "üñ😀üñ😀!".len());
    }
}
