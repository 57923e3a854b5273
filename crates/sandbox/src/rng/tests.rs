use super::*;

/// The first outputs that the reference implementation gives for these seeds.
#[test]
fn it_is_splitmix64() {
    let mut rng = Rng::new(0);
    assert_eq!(rng.next(), 0xe220_a839_7b1d_cdaf);
    assert_eq!(rng.next(), 0x6e78_9e6a_a1b9_65f4);
    let mut rng = Rng::new(1_234_567);
    assert_eq!([rng.next(), rng.next()], [6_457_827_717_110_365_317, 3_203_168_211_198_807_973]);
}

#[test]
fn forms() {
    let mut rng = Rng::new(7);
    assert_eq!(rng.grant_id().len(), 64);
    assert_eq!(rng.uuid().len(), 36);
    assert_eq!(rng.many(13).len(), 13);
    assert!(rng.unique_id("AROA").starts_with("AROA"));
    for _ in 0..100 {
        assert!((3..=5).contains(&rng.between(3, 5)));
    }
    assert_eq!(rng.between(9, 2), 9);
}
