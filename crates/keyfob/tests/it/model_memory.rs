//! Compares the memory store with the model.

#[test]
fn the_model_agrees() {
    keyfob_testkit::model_test::store_matches_model(crate::contract_memory::memory);
}

#[test]
fn the_model_agrees_with_one_lane() {
    keyfob_testkit::model_test::store_matches_model(crate::contract_memory::memory_of_one_lane);
}
