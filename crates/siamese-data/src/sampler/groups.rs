//! The images in play, grouped by class and superclass: what sampler and evaluation pairs draw from.

use std::ops::Range;

use super::error::SamplerError;

/// The images in play in the order (superclass, class, index); a *place* is a position in it.
///
/// The order makes every class, and every superclass, one range of places, and it does not depend
/// on the order in which the images were given.
pub(crate) struct Groups {
    images: Vec<u32>,
    class_of: Vec<u32>,
    classes: Vec<Class>,
}

/// One class that has images in play.
pub(crate) struct Class {
    pub(crate) label: u32,
    /// The places of its images.
    pub(crate) places: Range<usize>,
    /// The classes of its superclass, itself included, as positions in [`Groups::classes`].
    pub(crate) family: Range<usize>,
}

impl Groups {
    /// Groups `indices` by `labels`; without superclasses every class is a family by itself.
    pub(crate) fn new(
        labels: &[u32],
        indices: &[u32],
        superclass_of_class: Option<&[u32]>,
    ) -> Result<Self, SamplerError> {
        let mut keys = Vec::with_capacity(indices.len());
        for &index in indices {
            let &label = labels.get(index as usize).ok_or(SamplerError::Index {
                index,
                images: labels.len(),
            })?;
            let superclass = match superclass_of_class {
                None => label,
                Some(table) => *table.get(label as usize).ok_or(SamplerError::Superclass {
                    label,
                    given: table.len(),
                })?,
            };
            keys.push((superclass, label, index));
        }
        keys.sort_unstable();
        if let Some(twin) = keys.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(SamplerError::Duplicate { index: twin[0].2 });
        }
        let groups = Self::from_sorted(&keys);
        match groups.classes.as_slice() {
            [] => Err(SamplerError::Empty),
            [only] => Err(SamplerError::OneClass { label: only.label }),
            _ => Ok(groups),
        }
    }

    /// `keys` are (superclass, class, index), sorted.
    fn from_sorted(keys: &[(u32, u32, u32)]) -> Self {
        let mut classes = Vec::new();
        let mut class_of = Vec::with_capacity(keys.len());
        let mut place = 0;
        for family in keys.chunk_by(|a, b| a.0 == b.0) {
            let first = classes.len();
            for members in family.chunk_by(|a, b| a.1 == b.1) {
                class_of.resize(place + members.len(), classes.len() as u32);
                classes.push(Class {
                    label: members[0].1,
                    places: place..place + members.len(),
                    family: first..first,
                });
                place += members.len();
            }
            let last = classes.len();
            for class in &mut classes[first..] {
                class.family.end = last;
            }
        }
        Self {
            images: keys.iter().map(|key| key.2).collect(),
            class_of,
            classes,
        }
    }

    /// How many images are in play.
    pub(crate) fn len(&self) -> usize {
        self.images.len()
    }

    /// The index of the image at `place`.
    pub(crate) fn image(&self, place: usize) -> u32 {
        self.images[place]
    }

    /// The position in [`Groups::classes`] of the class of the image at `place`.
    pub(crate) fn class_of(&self, place: usize) -> usize {
        self.class_of[place] as usize
    }

    /// The classes that have images in play, at least two.
    pub(crate) fn classes(&self) -> &[Class] {
        &self.classes
    }
}
