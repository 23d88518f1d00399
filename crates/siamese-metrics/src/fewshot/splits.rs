//! The class lists of CIFAR-FS and FC100.

use std::collections::HashSet;
use std::sync::LazyLock;

/// Disjoint classes of CIFAR-100, by name, to train on, choose by and be judged on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassSplit {
    train: Vec<Class>,
    validation: Vec<Class>,
    test: Vec<Class>,
}

/// A class of CIFAR-100: superclass, then class.
type Class = (String, String);

impl ClassSplit {
    /// The classes to train on.
    pub fn train(&self) -> impl ExactSizeIterator<Item = &str> {
        names(&self.train)
    }

    /// The classes to choose by.
    pub fn validation(&self) -> impl ExactSizeIterator<Item = &str> {
        names(&self.validation)
    }

    /// The classes to be judged on.
    pub fn test(&self) -> impl ExactSizeIterator<Item = &str> {
        names(&self.test)
    }

    /// The superclass of a class, both by name.
    pub fn superclass(&self, class: &str) -> Option<&str> {
        let found = self.all().find(|(_, name)| name == class);
        found.map(|(superclass, _)| superclass.as_str())
    }

    fn all(&self) -> impl Iterator<Item = &Class> {
        self.train.iter().chain(&self.validation).chain(&self.test)
    }
}

fn names(classes: &[Class]) -> impl ExactSizeIterator<Item = &str> {
    classes.iter().map(|(_, class)| class.as_str())
}

/// CIFAR-FS: 64, 16 and 20 classes of CIFAR-100, drawn at random, so that most of a test class's
/// superclass was trained on.
///
/// Bertinetto et al., *Meta-learning with differentiable closed-form solvers* (ICLR 2019).
///
/// ```
/// let split = siamese_metrics::fewshot::cifar_fs();
/// assert_eq!((split.train().len(), split.validation().len(), split.test().len()), (64, 16, 20));
/// assert!(split.test().any(|class| class == "whale"));
/// ```
pub fn cifar_fs() -> &'static ClassSplit {
    &CIFAR_FS
}

/// FC100: 60, 20 and 20 classes of CIFAR-100, whole superclasses each, so that nothing akin to a
/// test class was trained on.
///
/// Oreshkin et al., *TADAM* (NeurIPS 2018).
///
/// ```
/// let split = siamese_metrics::fewshot::fc100();
/// assert_eq!((split.train().len(), split.validation().len(), split.test().len()), (60, 20, 20));
/// assert_eq!(split.superclass("whale"), Some("aquatic_mammals"));
/// ```
pub fn fc100() -> &'static ClassSplit {
    &FC100
}

static CIFAR_FS: LazyLock<ClassSplit> = LazyLock::new(|| ClassSplit {
    train: classes(include_str!("../splits/cifar-fs-train.json")),
    validation: classes(include_str!("../splits/cifar-fs-val.json")),
    test: classes(include_str!("../splits/cifar-fs-test.json")),
});

static FC100: LazyLock<ClassSplit> = LazyLock::new(|| ClassSplit {
    train: of_superclasses(include_str!("../splits/fc100-train.json")),
    validation: of_superclasses(include_str!("../splits/fc100-val.json")),
    test: of_superclasses(include_str!("../splits/fc100-test.json")),
});

// Both parsers read files of this crate, and the tests read every one: they cannot fail at run time.

fn classes(json: &str) -> Vec<Class> {
    serde_json::from_str(json).expect("a list of [superclass, class] in the crate's own file")
}

fn of_superclasses(json: &str) -> Vec<Class> {
    let superclasses: HashSet<String> =
        serde_json::from_str(json).expect("a list of superclasses in the crate's own file");
    let mut classes: Vec<Class> = cifar_fs().all().cloned().collect();
    classes.retain(|(superclass, _)| superclasses.contains(superclass));
    classes.sort();
    classes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_split_holds_every_class_of_cifar_100_once() {
        for split in [cifar_fs(), fc100()] {
            let all: HashSet<&str> = split.all().map(|(_, class)| class.as_str()).collect();
            assert_eq!(split.all().count(), 100);
            assert_eq!(all.len(), 100);
        }
    }

    #[test]
    fn no_superclass_is_on_two_sides_of_fc100() {
        let sides = |classes: &[Class]| -> HashSet<String> {
            classes
                .iter()
                .map(|(superclass, _)| superclass.clone())
                .collect()
        };
        let split = fc100();
        let (train, test) = (sides(&split.train), sides(&split.test));
        assert_eq!(
            (train.len(), sides(&split.validation).len(), test.len()),
            (12, 4, 4)
        );
        assert!(train.is_disjoint(&test) && train.is_disjoint(&sides(&split.validation)));
    }
}
