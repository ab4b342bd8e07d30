//! Compact lists of keys: each as the length of the prefix it shares with the one before, the rest,
//! and the digest of the value written there.

use std::fmt;

use crate::domain::digest::{DIGEST_BYTES, Digest};

/// The current format. The first one had no digests and can still be read.
const VERSION: u8 = 2;
const WITHOUT_DIGESTS: u8 = 1;

/// Max keys of a chunk.
pub const CHUNK_KEYS: usize = 4096;

/// About the max bytes of all keys of a chunk; a single key may have more.
const CHUNK_BYTES: usize = 256 * 1024;

/// A key of a run, and the digest of the value it wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedKey {
    pub key: Vec<u8>,
    pub digest: Digest,
}

/// A chunk being written.
#[derive(Debug, Default)]
pub struct Chunk {
    bytes: Vec<u8>,
    last: Vec<u8>,
    keys: usize,
    /// Bytes of all keys, uncompressed.
    raw: usize,
}

impl Chunk {
    pub fn push(&mut self, key: &[u8], digest: Digest) {
        if self.keys == 0 {
            self.bytes.push(VERSION);
        }
        let both = key.iter().zip(&self.last);
        let shared = both.take_while(|(a, b)| a == b).count();
        let rest = &key[shared..];
        put_number(&mut self.bytes, shared);
        put_number(&mut self.bytes, rest.len());
        self.bytes.extend_from_slice(rest);
        self.bytes.extend_from_slice(&digest.bytes());
        self.last.truncate(shared);
        self.last.extend_from_slice(rest);
        self.keys += 1;
        self.raw += key.len();
    }

    pub fn keys(&self) -> usize {
        self.keys
    }

    pub fn is_full(&self) -> bool {
        self.keys >= CHUNK_KEYS || self.raw >= CHUNK_BYTES
    }

    /// Takes its bytes and leaves it empty.
    pub fn take(&mut self) -> Vec<u8> {
        std::mem::take(self).bytes
    }
}

/// Why bytes are not a chunk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoChunk {
    /// Another version of the tool wrote it.
    Version(u8),
    Broken,
}

impl fmt::Display for NoChunk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => write!(f, "its format {version} is unknown"),
            Self::Broken => f.write_str("it was changed after it was written"),
        }
    }
}

/// The keys of a chunk, in the order in which they were pushed.
///
/// # Errors
/// The bytes are not a chunk.
pub fn read(bytes: &[u8]) -> Result<Vec<RecordedKey>, NoChunk> {
    let (version, mut rest) = bytes.split_first().ok_or(NoChunk::Broken)?;
    let has_digests = match *version {
        VERSION => true,
        WITHOUT_DIGESTS => false,
        other => return Err(NoChunk::Version(other)),
    };
    let mut keys: Vec<RecordedKey> = Vec::new();
    let mut raw = 0;
    while !rest.is_empty() {
        // Bounds memory, whatever the bytes are.
        if keys.len() == CHUNK_KEYS || raw >= CHUNK_BYTES {
            return Err(NoChunk::Broken);
        }
        let shared = take_number(&mut rest).ok_or(NoChunk::Broken)?;
        let own = take_number(&mut rest).ok_or(NoChunk::Broken)?;
        let before = keys.last().map_or(&[][..], |recorded| &recorded.key);
        let begin = before.get(..shared).ok_or(NoChunk::Broken)?;
        let (own, after) = rest.split_at_checked(own).ok_or(NoChunk::Broken)?;
        rest = after;
        let key = [begin, own].concat();
        let digest = match has_digests {
            true => take_digest(&mut rest).ok_or(NoChunk::Broken)?,
            false => Digest::default(),
        };
        raw += key.len();
        keys.push(RecordedKey { key, digest });
    }
    Ok(keys)
}

fn take_digest(bytes: &mut &[u8]) -> Option<Digest> {
    let (digest, rest) = bytes.split_first_chunk::<DIGEST_BYTES>()?;
    *bytes = rest;
    Some(Digest::from(*digest))
}

/// Seven bits per byte, the lowest first; the highest bit says that more follow.
fn put_number(out: &mut Vec<u8>, mut number: usize) {
    while number >= 0x80 {
        out.push((number & 0x7f) as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn take_number(bytes: &mut &[u8]) -> Option<usize> {
    let mut number = 0_usize;
    for shift in (0..usize::BITS).step_by(7) {
        let (byte, rest) = bytes.split_first()?;
        *bytes = rest;
        let part = usize::from(byte & 0x7f);
        if part.checked_shl(shift)? >> shift != part {
            return None;
        }
        number |= part << shift;
        if byte & 0x80 == 0 {
            return Some(number);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The chunks that these keys make.
    fn written(keys: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let mut chunk = Chunk::default();
        let mut chunks = Vec::new();
        for key in keys {
            chunk.push(key, Digest::of_text(key));
            if chunk.is_full() {
                chunks.push(chunk.take());
            }
        }
        if chunk.keys() > 0 {
            chunks.push(chunk.take());
        }
        chunks
    }

    fn read_all(chunks: &[Vec<u8>]) -> Vec<Vec<u8>> {
        let keys = chunks.iter().flat_map(|chunk| read(chunk).expect("a chunk"));
        let key = |recorded: RecordedKey| {
            assert_eq!(recorded.digest, Digest::of_text(&recorded.key));
            recorded.key
        };
        keys.map(key).collect()
    }

    #[test]
    fn keys_come_back_as_they_were() {
        let long = vec![b'x'; 300 * 1024];
        for keys in [
            vec![],
            vec![Vec::new()],
            vec![Vec::new(), Vec::new(), b"a".to_vec(), Vec::new()],
            vec![vec![0], vec![0, 0], vec![0xff; 200], vec![0xff; 100]],
            vec![b"a".to_vec(), long.clone(), long, b"a".to_vec()],
            vec!["Käse:ä:🙂".into(), "Käse:ö:🙂".into(), b"\xc3".to_vec()],
            (0..10_000).map(|n| format!("P:{n}").into_bytes()).collect(),
        ] {
            assert_eq!(read_all(&written(&keys)), keys);
        }
    }

    #[test]
    fn keys_that_begin_alike_take_few_bytes_and_chunks_are_of_even_size() {
        let key = |n| format!("shop:Product:id:prod-{n:07}").into_bytes();
        let keys: Vec<Vec<u8>> = (0..10_000).map(key).collect();
        let chunks = written(&keys);
        let bytes: usize = chunks.iter().map(Vec::len).sum();
        assert!(bytes < 11 * keys.len(), "{bytes}");
        let counts: Vec<usize> = chunks.iter().map(|c| read(c).expect("keys").len()).collect();
        assert_eq!(counts, [CHUNK_KEYS, CHUNK_KEYS, 10_000 - 2 * CHUNK_KEYS]);

        let large = vec![vec![b'x'; CHUNK_BYTES / 2]; 4];
        assert_eq!(written(&large).len(), 2);
    }

    #[test]
    fn random_keys_come_back_and_random_bytes_do_no_harm() {
        let seed = fastrand::u64(..);
        let mut random = fastrand::Rng::with_seed(seed);
        for _ in 0..300 {
            // Few letters, so that much is shared, and any length.
            let key = |random: &mut fastrand::Rng| {
                let longest = if random.bool() { 8 } else { 300 };
                let length = random.usize(..longest);
                (0..length).map(|_| random.u8(..3).wrapping_sub(1)).collect()
            };
            let count = random.usize(..200);
            let keys: Vec<Vec<u8>> = (0..count).map(|_| key(&mut random)).collect();
            let chunks = written(&keys);
            assert_eq!(read_all(&chunks), keys, "seed {seed}");
            for mut chunk in chunks {
                let at = random.usize(..chunk.len());
                chunk[at] = random.u8(..);
                // It is refused, or read as other keys: no more than a chunk ever has.
                if let Ok(keys) = read(&chunk) {
                    assert!(keys.len() <= CHUNK_KEYS, "seed {seed}");
                }
                chunk.truncate(at);
                let _ = read(&chunk);
            }
        }
    }

    #[test]
    fn what_is_no_chunk_is_refused() {
        assert_eq!(read(&[]), Err(NoChunk::Broken));
        assert_eq!(read(&[3, 0, 0]), Err(NoChunk::Version(3)));
        let old = read(&[1, 0, 1, b'a', 1, 1, b'b']).expect("without digests");
        let keys: Vec<&[u8]> = old.iter().map(|recorded| &recorded.key[..]).collect();
        assert_eq!(keys, [&b"a"[..], b"ab"]);
        assert!(old.iter().all(|recorded| recorded.digest.is_unknown()));
        assert_eq!(read(&[2, 0, 1, b'a', 1, 2, 3]), Err(NoChunk::Broken));
        // More shared than there was, more to follow than there is, a number without end.
        for wrong in [&[1, 1, 0][..], &[1, 0, 9, b'a'], &[1, 0]] {
            assert_eq!(read(wrong), Err(NoChunk::Broken), "{wrong:?}");
        }
        assert_eq!(read(&[&[1][..], &[0xff; 20]].concat()), Err(NoChunk::Broken));
        let many = [&[1][..], &[0, 0].repeat(CHUNK_KEYS + 1)].concat();
        assert_eq!(read(&many), Err(NoChunk::Broken));
        // Keys that grow by all that was before.
        let bomb = [&[1, 0, 100][..], &[b'x'; 100], &[100, 0].repeat(4000)].concat();
        assert_eq!(read(&bomb), Err(NoChunk::Broken));
    }
}
