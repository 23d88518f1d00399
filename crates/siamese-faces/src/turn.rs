//! Pictures that lie on their side: turned by quarters, and the faces turned back.

use crate::bounds::Bounds;
use crate::face::{Face, Point};
use crate::picture::Rgb;

/// The picture turned clockwise by so many quarters: (height, width) and pixels.
pub(crate) fn turned(picture: &Rgb, quarters: u8) -> ((usize, usize), Vec<u8>) {
    let (height, width) = (picture.height(), picture.width());
    let size = if quarters % 2 == 1 {
        (width, height)
    } else {
        (height, width)
    };
    let mut pixels = Vec::with_capacity(height * width * 3);
    for y in 0..size.0 {
        for x in 0..size.1 {
            let (from_y, from_x) = match quarters % 4 {
                0 => (y, x),
                1 => (height - 1 - x, y),
                2 => (height - 1 - y, width - 1 - x),
                _ => (x, width - 1 - y),
            };
            pixels.extend_from_slice(picture.row(from_y, from_x, from_x + 1));
        }
    }
    (size, pixels)
}

/// A face of the turned picture in the picture of `size` (height, width) as it was.
pub(crate) fn turned_back(face: Face, (height, width): (usize, usize), quarters: u8) -> Face {
    let (bottom, right) = ((height - 1) as f32, (width - 1) as f32);
    let point = |x: f32, y: f32| match quarters % 4 {
        0 => Point { x, y },
        1 => Point {
            x: y,
            y: bottom - x,
        },
        2 => Point {
            x: right - x,
            y: bottom - y,
        },
        _ => Point { x: right - y, y: x },
    };
    let Bounds {
        left,
        top,
        right: r,
        bottom: b,
    } = face.bounds;
    let (one, other) = (point(left, top), point(r, b));
    Face {
        bounds: Bounds {
            left: one.x.min(other.x),
            top: one.y.min(other.y),
            right: one.x.max(other.x),
            bottom: one.y.max(other.y),
        },
        landmarks: face.landmarks.map(|p| point(p.x, p.y)),
        ..face
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_found_in_a_turned_picture_lies_where_it_is_in_the_picture() {
        let (height, width) = (2, 3);
        let mut pixels = vec![0; height * width * 3];
        let spot = (1, 2); // row, column
        pixels[(spot.0 * width + spot.1) * 3] = 255;
        let picture = Rgb::new(height, width, &pixels).unwrap();
        for quarters in 0..4 {
            let ((_, turned_width), seen) = turned(&picture, quarters);
            let place = seen.iter().position(|&v| v == 255).unwrap() / 3;
            let (x, y) = ((place % turned_width) as f32, (place / turned_width) as f32);
            let bounds = Bounds {
                left: x,
                top: y,
                right: x,
                bottom: y,
            };
            let face = Face {
                bounds,
                probability: 1.0,
                landmarks: [Point { x, y }; 5],
            };
            let back = turned_back(face, (height, width), quarters);
            let expected = Point {
                x: spot.1 as f32,
                y: spot.0 as f32,
            };
            assert_eq!(back.landmarks, [expected; 5], "{quarters} quarters");
            assert_eq!(
                (back.bounds.left, back.bounds.top),
                (expected.x, expected.y)
            );
        }
    }
}
