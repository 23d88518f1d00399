//! CIFAR-100: where the hub has it, and what its records' checksums are.

pub(crate) const REPO: &str = "uoft-cs/cifar100";
pub(crate) const FILES: [&str; 2] = [
    "cifar100/train-00000-of-00001.parquet",
    "cifar100/test-00000-of-00001.parquet",
];

/// The md5 of the original records: `train.bin` and `test.bin` of cifar-100-binary.tar.gz.
pub(crate) const RECORDS_MD5: [&str; 2] = [
    "6172c7755cfe09b2fe270c85cebc1b15",
    "4499cfba6c016c1be1438163640a0898",
];
