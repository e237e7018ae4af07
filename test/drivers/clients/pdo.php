<?php
// PDO: has no lists, so one goes as JSON; bytes say that they are a large object.
error_reporting(E_ALL & ~E_WARNING);
$url = parse_url(json_decode(fgets(STDIN), true)['url']);
$pdo = new PDO("pgsql:host={$url['host']};port={$url['port']};dbname=" . ltrim($url['path'], '/'), $url['user'], $url['pass']);
echo json_encode(['version' => phpversion('pdo_pgsql')]), "\n";
while (($line = fgets(STDIN)) !== false) {
    $call = json_decode($line, true);
    try {
        $statement = $pdo->prepare(preg_replace('/\$(\d+)/', ':p$1', $call['sql']));
        foreach ($call['args'] as $place => $arg) {
            $given = reset($arg);
            if ($given === null) {
                $statement->bindValue('p' . ($place + 1), null, PDO::PARAM_NULL);
            } elseif (key($arg) === 'bytes') {
                $statement->bindValue('p' . ($place + 1), base64_decode($given), PDO::PARAM_LOB);
            } else {
                $statement->bindValue('p' . ($place + 1), $given);
            }
        }
        $statement->execute();
        $value = $statement->fetchColumn();
        echo json_encode(['value' => $value]), "\n";
    } catch (PDOException $error) {
        [$sqlstate, , $said] = $error->errorInfo;
        preg_match('/^ERROR:\s+(.*)/', $said, $message);
        preg_match('/^HINT:\s+(.*)/m', $said, $hint);
        echo json_encode(['error' => ['sqlstate' => $sqlstate, 'message' => $message[1] ?? $said, 'hint' => $hint[1] ?? null]]), "\n";
    }
}
