//! Bytes on the wire, and exact numbers.

/// Converts base-10,000 digits to exactly the column's decimal digits.
pub(super) fn numeric(wire: &[u8], out: &mut String) -> Result<(), String> {
    let word = |i: usize| -> Result<u16, String> {
        let bytes = wire.get(2 * i..2 * i + 2).ok_or_else(malformed)?;
        Ok(u16::from_be_bytes(fixed(bytes)?))
    };
    let (count, weight, sign, scale) = (word(0)?, word(1)?.cast_signed(), word(2)?, word(3)?);
    match sign {
        0x0000 => {}
        0x4000 => out.push('-'),
        0xC000 => return Err("NaN and infinity have no JSON form".into()),
        0xD000 | 0xF000 => return Err("NaN and infinity have no JSON form".into()),
        _ => return Err(malformed()),
    }
    let group = |place: i32| -> Result<u16, String> {
        // Missing groups are zero.
        let index = i32::from(weight) - place;
        if (0..i32::from(count)).contains(&index) {
            word(4 + usize::try_from(index).unwrap_or_default())
        } else {
            Ok(0)
        }
    };
    if weight < 0 {
        out.push('0');
    } else {
        out.push_str(&group(weight.into())?.to_string());
        for place in (0..i32::from(weight)).rev() {
            out.push_str(&format!("{:04}", group(place)?));
        }
    }
    if scale > 0 {
        out.push('.');
        let end = out.len() + usize::from(scale);
        let mut place = -1;
        while out.len() < end {
            out.push_str(&format!("{:04}", group(place)?));
            place -= 1;
        }
        out.truncate(end);
    }
    Ok(())
}

pub(super) fn malformed() -> String {
    "the database sent a value in another format than its type".to_owned()
}

pub(super) fn fixed<const N: usize>(wire: &[u8]) -> Result<[u8; N], String> {
    wire.try_into().map_err(|_| malformed())
}
