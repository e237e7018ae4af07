-- which database the server of predictions ran for: one that was restored from a dump must not ask the server of its original
alter table rafiki.bridge add home text;
