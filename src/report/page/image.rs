//! Small grey images as PNG in the page itself.

use std::io::Write;

use flate2::write::ZlibEncoder;
use flate2::{Compression, Crc};

use super::html::Html;

/// An image element; nothing for an image without pixels.
pub(super) fn grey(rows: &[Vec<u8>], name: &str) -> Html {
    let mut html = Html::default();
    let width = rows.first().map_or(0, Vec::len);
    if let Some(png) = png(rows, width) {
        html.push(format_args!(
            "<img class=\"pixels\" width=\"56\" height=\"{}\" alt=\"{}\" \
             src=\"data:image/png;base64,{}\">",
            56 * rows.len() / width.max(1),
            Html::escape(name),
            base64(&png)
        ));
    }
    html
}

/// 8 bits of grey a pixel, no interlacing, no filter.
///
/// Source: W3C, "Portable Network Graphics Specification (Third Edition)", sections 5 and 11.
fn png(rows: &[Vec<u8>], width: usize) -> Option<Vec<u8>> {
    let (width, height) = (u32::try_from(width).ok()?, u32::try_from(rows.len()).ok()?);
    if width == 0 || height == 0 || rows.iter().any(|row| row.len() != width as usize) {
        return None;
    }
    let mut lines = ZlibEncoder::new(Vec::new(), Compression::best());
    for row in rows {
        lines.write_all(&[0]).and_then(|()| lines.write_all(row)).ok()?;
    }
    let mut header = [width.to_be_bytes(), height.to_be_bytes()].concat();
    header.extend([8, 0, 0, 0, 0]);
    let mut png = b"\x89PNG\r\n\x1a\n".to_vec();
    let lines = lines.finish().ok()?;
    for (kind, data) in [(b"IHDR", header), (b"IDAT", lines), (b"IEND", Vec::new())] {
        let mut crc = Crc::new();
        crc.update(kind);
        crc.update(&data);
        png.extend(u32::try_from(data.len()).ok()?.to_be_bytes());
        png.extend(kind);
        png.extend(data);
        png.extend(crc.sum().to_be_bytes());
    }
    Some(png)
}

/// RFC 4648, section 4.
fn base64(bytes: &[u8]) -> String {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let at = |i: usize| u32::from(three.get(i).copied().unwrap_or(0));
        let bits = at(0) << 16 | at(1) << 8 | at(2);
        for digit in 0..4 {
            if digit <= three.len() {
                text.push(char::from(DIGITS[(bits >> (18 - 6 * digit)) as usize & 63]));
            } else {
                text.push('=');
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base64_is_as_in_the_rfc() {
        let cases =
            [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("foob", "Zm9vYg==")];
        for (plain, encoded) in cases {
            assert_eq!(base64(plain.as_bytes()), encoded);
        }
    }

    #[test]
    fn an_image_is_a_png_or_nothing() {
        let two = png(&[vec![0, 255], vec![128, 7]], 2).unwrap_or_default();
        assert!(two.starts_with(b"\x89PNG") && two.ends_with(&[0xae, 0x42, 0x60, 0x82]));
        assert!(png(&[], 0).is_none());
        assert!(png(&[vec![1, 2], vec![3]], 2).is_none());
        assert!(grey(&[], "x").as_str().is_empty());
    }
}
