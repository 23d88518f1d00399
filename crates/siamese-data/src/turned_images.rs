//! A set with turned copies of its images.

use crate::error::DataError;
use crate::image_set::ImageSet;
use crate::turned::Turned;

impl ImageSet {
    /// These N images, then the copies that are classes of their own: image `k·N + i` is the `k`th turn of image `i`, and
    /// its class that many classes further on. Pixels are shared, and turned when they are asked for.
    ///
    /// ```
    /// use siamese_data::{ImageSet, Turned};
    /// let set = ImageSet::new(1, 2, 1, vec![7, 9], vec![0], vec!["arrow".into()])?;
    /// let set = set.turned(Turned::Mirrored)?;
    /// assert_eq!((&*set.image(1)?, set.labels[1]), (&[9, 7][..], 1));
    /// assert_eq!(set.classes, ["arrow", "arrow, mirrored"]);
    /// # Ok::<(), siamese_data::DataError>(())
    /// ```
    ///
    /// # Errors
    /// [`DataError::Invalid`] for rotations of images that are not square, and where images are turned already.
    pub fn turned(&self, turned: Turned) -> Result<Self, DataError> {
        if self.is_turned() {
            return Err(DataError::Invalid("these images are turned already".into()));
        }
        if turned == Turned::Rotations && self.height != self.width {
            return Err(DataError::Invalid(format!(
                "data.turned = \"rotations\" is for square images, these are {}x{}: choose tower.input.height and width alike",
                self.height, self.width
            )));
        }
        let count = turned.count();
        let images: Vec<u32> = (0..self.len() as u32).collect();
        let mut set = self.subset(&images.repeat(count));
        set.labels = turned.labels(&self.labels, self.classes.len());
        let name = |k: usize, class: &str| match (k, turned) {
            (0, _) => class.to_string(),
            (_, Turned::Mirrored) => format!("{class}, mirrored"),
            (k, Turned::Rotations) => format!("{class}, turned by {}°", 90 * k),
        };
        set.classes = (0..count)
            .flat_map(|k| self.classes.iter().map(move |class| name(k, class)))
            .collect();
        let turns = (0..count as u8).flat_map(|k| std::iter::repeat_n(k, self.len()));
        Ok(set.with_turns(turned, turns.collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Two RGB images of 2×2 whose pixels are (v, v, v + 100).
    fn square() -> ImageSet {
        let pixels = (1..=8).flat_map(|v| [v, v, v + 100]).collect();
        let classes = vec!["a".into(), "b".into()];
        ImageSet::new(2, 2, 3, pixels, vec![1, 0], classes).unwrap()
    }

    fn first_channel(set: &ImageSet, i: usize) -> Vec<u8> {
        set.image(i)
            .unwrap()
            .chunks(3)
            .map(|pixel| {
                assert_eq!(pixel[2], pixel[0] + 100);
                pixel[0]
            })
            .collect()
    }

    #[test]
    fn quarter_turns_are_counter_clockwise_and_four_of_them_are_none() {
        let set = square().turned(Turned::Rotations).unwrap();
        assert_eq!(set.len(), 8);
        assert_eq!(set.labels, [1, 0, 3, 2, 5, 4, 7, 6]);
        let turns: Vec<Vec<u8>> = (0..4).map(|k| first_channel(&set, 2 * k)).collect();
        let expected = [[1, 2, 3, 4], [2, 4, 1, 3], [4, 3, 2, 1], [3, 1, 4, 2]];
        assert_eq!(turns, expected);
        let mut back = vec![0; 12];
        let once = set.image(2).unwrap();
        Turned::Rotations.apply(3, &once, (2, 2, 3), &mut back);
        assert_eq!(back, *set.image(0).unwrap());
    }

    #[test]
    fn what_is_turned_stays_so_in_a_subset_and_in_a_copy() {
        let set = square().turned(Turned::Mirrored).unwrap();
        let some = set.subset(&[3, 0]);
        assert_eq!(first_channel(&some, 0), [6, 5, 8, 7]);
        assert_eq!(first_channel(&some, 1), [1, 2, 3, 4]);
        let mut out = vec![0; 12];
        some.copy_image(0, &mut out).unwrap();
        assert_eq!(out, *some.image(0).unwrap());
        assert_eq!(some.classes[2], "a, mirrored");
    }

    #[test]
    fn images_that_are_not_square_are_mirrored_but_not_rotated() {
        let classes = vec!["a".into()];
        let set = ImageSet::new(2, 3, 1, (0..6).collect(), vec![0], classes).unwrap();
        let mirrored = set.turned(Turned::Mirrored).unwrap();
        assert_eq!(*mirrored.image(1).unwrap(), [2, 1, 0, 5, 4, 3]);
        let error = set.turned(Turned::Rotations).unwrap_err().to_string();
        assert!(error.contains("2x3"), "{error}");
    }
}
