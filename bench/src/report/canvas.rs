//! A picture to draw on, and its PNG.

use std::convert::Infallible;

use embedded_graphics::mono_font::MonoTextStyle;
use embedded_graphics::mono_font::iso_8859_1::{FONT_8X13, FONT_9X18_BOLD};
use embedded_graphics::pixelcolor::Rgb888;
use embedded_graphics::prelude::*;
use embedded_graphics::primitives::{PrimitiveStyle, Rectangle};
use embedded_graphics::text::{Alignment, Text};

use crate::error::{Context, Result};

/// A picture in 24-bit colour, white at first.
pub struct Canvas {
    width: u32,
    height: u32,
    pixels: Vec<u8>,
}

impl Canvas {
    /// A white picture.
    pub fn new(width: u32, height: u32) -> Canvas {
        Canvas { width, height, pixels: vec![255; (width * height * 3) as usize] }
    }

    /// A filled rectangle from its left upper corner.
    pub fn bar(&mut self, left: i32, top: i32, width: u32, height: u32, color: Rgb888) {
        let area = Rectangle::new(Point::new(left, top), Size::new(width, height));
        let Ok(()) = area.into_styled(PrimitiveStyle::with_fill(color)).draw(self);
    }

    /// Text with its left, middle or right end at `x` and its base line at `y`.
    pub fn text(&mut self, text: &str, x: i32, y: i32, alignment: Alignment, color: Rgb888) {
        let style = MonoTextStyle::new(&FONT_8X13, color);
        let Ok(_) = Text::with_alignment(text, Point::new(x, y), style, alignment).draw(self);
    }

    /// A heading that begins at `x`.
    pub fn heading(&mut self, text: &str, x: i32, y: i32, color: Rgb888) {
        let style = MonoTextStyle::new(&FONT_9X18_BOLD, color);
        let Ok(_) = Text::new(text, Point::new(x, y), style).draw(self);
    }

    /// The picture as a PNG file.
    pub fn png(&self) -> Result<Vec<u8>> {
        let mut file = Vec::new();
        let mut encoder = png::Encoder::new(&mut file, self.width, self.height);
        encoder.set_color(png::ColorType::Rgb);
        encoder.set_depth(png::BitDepth::Eight);
        let mut writer = encoder.write_header().context(|| "the picture".to_owned())?;
        writer.write_image_data(&self.pixels).context(|| "the picture".to_owned())?;
        writer.finish().context(|| "the picture".to_owned())?;
        Ok(file)
    }
}

impl OriginDimensions for Canvas {
    fn size(&self) -> Size {
        Size::new(self.width, self.height)
    }
}

impl DrawTarget for Canvas {
    type Color = Rgb888;
    type Error = Infallible;

    fn draw_iter<I: IntoIterator<Item = Pixel<Rgb888>>>(&mut self, pixels: I) -> std::result::Result<(), Infallible> {
        for Pixel(point, color) in pixels {
            let inside =
                point.x >= 0 && point.y >= 0 && (point.x as u32) < self.width && (point.y as u32) < self.height;
            if inside {
                let at = ((point.y as u32 * self.width + point.x as u32) * 3) as usize;
                self.pixels[at..at + 3].copy_from_slice(&[color.r(), color.g(), color.b()]);
            }
        }
        Ok(())
    }
}
