//! The formats behind `@`: text for shells, tables, markup and addresses.

use std::fmt::Write;

use crate::eval::{Ctx, Flow, Stop, type_error};
use crate::node::Format;
use crate::value::{Kind, Value};

const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/// `format("name")` and `@name`.
pub(crate) fn format_named<'a>(
    ctx: &mut Ctx<'a>,
    input: Value<'a>,
    args: &mut [Value<'a>],
) -> crate::eval::Res<'a> {
    let name = args.first().cloned().unwrap_or(Value::NULL);
    let Some(text) = name.as_str() else {
        return Err(type_error(&name, "is not a valid format"));
    };
    match Format::named(text) {
        Some(Format::Text) => ctx.text_of(input),
        Some(format) => {
            let text = self::format(ctx, format, input)?;
            ctx.string(text)
        }
        None => Err(Stop::message(format!("{text} is not a valid format"))),
    }
}

/// The text of a value under a format.
pub(crate) fn format<'a>(
    ctx: &mut Ctx<'a>,
    format: Format,
    value: Value<'a>,
) -> Result<String, Stop<'a>> {
    match format {
        Format::Json => return ctx.json_of(&value),
        Format::Csv => return row(ctx, &value, ",", "cannot be csv-formatted, only array"),
        Format::Tsv => return row(ctx, &value, "\t", "cannot be tsv-formatted, only array"),
        Format::Sh => return shell(ctx, &value),
        _ => {}
    }
    let value = ctx.text_of(value)?;
    let text = value.as_str().unwrap_or_default();
    // No format makes more than six bytes of one.
    ctx.charge(text.len())?;
    ctx.work(text.len() / 16)?;
    match format {
        Format::Html => Ok(html(text)),
        Format::Uri => Ok(uri(text)),
        Format::UriDecode => {
            uri_decode(text).ok_or_else(|| type_error(&value, "is not a valid uri encoding"))
        }
        Format::Base64 => Ok(base64(text.as_bytes())),
        Format::Base64Decode => base64_decode(text).map_err(|problem| type_error(&value, problem)),
        _ => Ok(text.to_owned()),
    }
}

fn row<'a>(
    ctx: &mut Ctx<'a>,
    value: &Value<'a>,
    separator: &str,
    problem: &str,
) -> Result<String, Stop<'a>> {
    if value.kind() != Kind::Array {
        return Err(type_error(value, problem));
    }
    let is_csv = separator == ",";
    let mut line = String::new();
    for (at, item) in value.items().enumerate() {
        if at > 0 {
            line.push_str(separator);
        }
        match item.kind() {
            Kind::Null => {}
            Kind::Number if item.as_f64().is_some_and(f64::is_nan) => {}
            Kind::Boolean | Kind::Number => line.push_str(&ctx.json_of(&item)?),
            Kind::String => {
                let text = item.as_str().unwrap_or_default();
                ctx.charge(text.len())?;
                if is_csv {
                    quote(text, &mut line);
                } else {
                    tab_escape(text, &mut line);
                }
            }
            Kind::Array | Kind::Object => {
                return Err(type_error(&item, "is not valid in a csv row"));
            }
        }
        ctx.work(1)?;
    }
    Ok(line)
}

fn quote(text: &str, out: &mut String) {
    out.push('"');
    for character in text.chars() {
        match character {
            '"' => out.push_str("\"\""),
            '\0' => out.push_str("\\0"),
            other => out.push(other),
        }
    }
    out.push('"');
}

fn tab_escape(text: &str, out: &mut String) {
    for character in text.chars() {
        match character {
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            '\n' => out.push_str("\\n"),
            '\\' => out.push_str("\\\\"),
            '\0' => out.push_str("\\0"),
            other => out.push(other),
        }
    }
}

fn shell<'a>(ctx: &mut Ctx<'a>, value: &Value<'a>) -> Result<String, Stop<'a>> {
    let mut line = String::new();
    if value.kind() != Kind::Array {
        shell_word(ctx, value, &mut line)?;
        return Ok(line);
    }
    for (at, item) in value.items().enumerate() {
        if at > 0 {
            line.push(' ');
        }
        ctx.work(1)?;
        shell_word(ctx, &item, &mut line)?;
    }
    Ok(line)
}

fn shell_word<'a>(ctx: &mut Ctx<'a>, value: &Value<'a>, out: &mut String) -> Flow<'a> {
    match value.kind() {
        Kind::Array | Kind::Object => Err(type_error(value, "can not be escaped for shell")),
        Kind::String => {
            let text = value.as_str().unwrap_or_default();
            ctx.charge(text.len())?;
            out.push('\'');
            for character in text.chars() {
                match character {
                    '\'' => out.push_str(r"'\''"),
                    '\0' => out.push_str("\\0"),
                    other => out.push(other),
                }
            }
            out.push('\'');
            Ok(())
        }
        _ => {
            out.push_str(&ctx.json_of(value)?);
            Ok(())
        }
    }
}

fn html(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '\'' => out.push_str("&apos;"),
            '"' => out.push_str("&quot;"),
            '\0' => out.push_str("\\0"),
            other => out.push(other),
        }
    }
    out
}

fn uri(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 16);
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
    out
}

fn uri_decode(text: &str) -> Option<String> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        if byte != b'%' {
            out.push(byte);
            continue;
        }
        let mut digit = || bytes.next().and_then(|byte| char::from(byte).to_digit(16));
        let (high, low) = (digit()?, digit()?);
        out.push((high << 4 | low) as u8);
    }
    String::from_utf8(out).ok()
}

fn base64(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for chunk in bytes.chunks(3) {
        let word = chunk
            .iter()
            .fold(0_u32, |word, &byte| word << 8 | u32::from(byte))
            << (8 * (3 - chunk.len()));
        for at in 0..4 {
            if at <= chunk.len() {
                let digit = word >> (18 - 6 * at) & 0x3f;
                out.push(char::from(BASE64[digit as usize]));
            } else {
                out.push('=');
            }
        }
    }
    out
}

/// Stops at the first `=`; bytes that are no text become replacement characters.
fn base64_decode(text: &str) -> Result<String, &'static str> {
    let mut out = Vec::with_capacity(text.len() / 4 * 3 + 2);
    let (mut word, mut count) = (0_u32, 0);
    for byte in text.bytes().take_while(|&byte| byte != b'=') {
        let digit = BASE64.iter().position(|&known| known == byte);
        let digit = digit.ok_or("is not valid base64 data")?;
        word = word << 6 | digit as u32;
        count += 1;
        if count == 4 {
            out.extend_from_slice(&word.to_be_bytes()[1..]);
            (word, count) = (0, 0);
        }
    }
    match count {
        1 => return Err("trailing base64 byte found"),
        2 => out.push((word >> 4) as u8),
        3 => out.extend_from_slice(&((word >> 2) as u16).to_be_bytes()),
        _ => {}
    }
    Ok(decode_lossy(&out))
}

/// Text of any bytes. What is wrong becomes U+FFFD in the reference's portions: a character that is
/// cut off by the end, encoded too long or a surrogate is replaced as a whole.
fn decode_lossy(mut bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    while let Some(&first) = bytes.first() {
        let len = match first {
            0xC2..=0xDF => 2,
            0xE0..=0xEF => 3,
            0xF0..=0xF4 => 4,
            _ => 1,
        };
        let tail = bytes.iter().skip(1);
        let whole = 1 + tail.take_while(|byte| **byte & 0xC0 == 0x80).count();
        let taken = if len > bytes.len() {
            bytes.len()
        } else {
            len.min(whole)
        };
        match std::str::from_utf8(&bytes[..taken]) {
            Ok(piece) => text.push_str(piece),
            Err(_) => text.push(char::REPLACEMENT_CHARACTER),
        }
        bytes = &bytes[taken..];
    }
    text
}
