//! A token's life in six steps: `cargo run -p keyfob --example walkthrough`.

#![expect(clippy::print_stdout, reason = "an example is there to be watched")]

use keyfob::{
    Filter, Grant, Kind, MemoryStore, Paging, RevokeRequest, TokenManager, Ttl, ValidationChain,
};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let manager = TokenManager::new(MemoryStore::new()?);

    println!("1. Creating and storing token");
    let grant = Grant::new(Kind::Access)
        .subject("user123")
        .issuer("example-service")
        .audience("example-app")
        .scope("read")
        .device_id("device123")
        .user_agent("ExampleApp/1.0")
        .platform("iOS")
        .label("environment", "production")
        .tag("mobile");
    let issued = manager.issue(grant).await?;
    println!("Token created: {}", issued.token.id);

    println!("2. Retrieving and validating token");
    let chain = ValidationChain::new()
        .allow_issuer("example-service")
        .allow_audience("example-app")
        .require_scope("read")
        .clock_skew(Ttl::from_mins(1));
    let token = manager.get(issued.token.id).await?;
    println!("Retrieved token for subject: {}", token.subject.ok_or("no subject")?);
    manager.validate(&issued.bearer, &chain).await?;
    println!("Token validation successful");

    println!("3. Listing tokens with filters");
    let filter = Filter::new()
        .kind(Kind::Access)
        .subject("user123")
        .tag("mobile")
        .label("environment", "production");
    let page = manager.list(&filter, Paging::new(10)).await?;
    println!("Found {} matching tokens", page.tokens.len());

    println!("4. Revoking token");
    manager.revoke(token.id, RevokeRequest::reason("user logout")).await?;
    println!("Token revoked successfully");

    println!("5. Verifying revocation");
    let revocation = manager.get(token.id).await?.revocation.ok_or("not revoked")?;
    println!("Token revoked at: {}", revocation.at);
    println!("Revocation reason: {}", revocation.reason.ok_or("no reason")?);

    println!("6. Demonstrating validation failure");
    let refused = manager.validate(&issued.bearer, &chain).await.err().ok_or("not refused")?;
    println!("Expected validation failure: {refused}");

    manager.shutdown().await;
    Ok(())
}
