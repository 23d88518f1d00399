//! Classes of classes.

/// The superclass of each class, by (class, superclass) of its images; `None` if a class has images in two.
pub(crate) fn superclass_of_class(
    classes: usize,
    of_images: impl IntoIterator<Item = (u32, u32)>,
) -> Option<Vec<u32>> {
    let mut superclass = vec![None; classes];
    for (label, coarse) in of_images {
        if *superclass[label as usize].get_or_insert(coarse) != coarse {
            return None;
        }
    }
    let known = superclass.into_iter().map(Option::unwrap_or_default);
    Some(known.collect())
}
