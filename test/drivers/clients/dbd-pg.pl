# DBD::Pg: a reference to a list goes as the text of an array; bytes say that they are bytea.
use strict;
use warnings;
use DBI;
use DBD::Pg qw(:pg_types);
use JSON::PP;
use MIME::Base64;
$| = 1;

my $json = JSON::PP->new->utf8->allow_nonref;
my ($user, $password, $host, $port, $database) =
  $json->decode(scalar <STDIN>)->{url} =~ m{^postgres(?:ql)?://([^:]+):([^@]+)@([^:]+):(\d+)/(.+)$};
my $dbh = DBI->connect("dbi:Pg:dbname=$database;host=$host;port=$port",
  $user, $password, { RaiseError => 1, PrintError => 0, AutoCommit => 1 });
print $json->encode({ version => "$DBD::Pg::VERSION" }), "\n";
while (my $line = <STDIN>) {
  my $call = $json->decode($line);
  my $value = eval {
    my $sth = $dbh->prepare($call->{sql});
    my $n = 0;
    for my $arg (@{ $call->{args} }) {
      my ($kind, $given) = %$arg;
      if ($kind eq 'bytes') { $sth->bind_param(++$n, decode_base64($given), { pg_type => PG_BYTEA }) }
      else { $sth->bind_param(++$n, $given) }
    }
    $sth->execute;
    ($sth->fetchrow_array)[0];
  };
  if ($@) {
    my ($message) = $dbh->errstr =~ /^ERROR:\s+(.*)/;
    my ($hint) = $dbh->errstr =~ /^HINT:\s+(.*)/m;
    print $json->encode({ error => { sqlstate => $dbh->state, message => $message // $dbh->errstr, hint => $hint } }), "\n";
  } else {
    print $json->encode({ value => $value }), "\n";
  }
}
