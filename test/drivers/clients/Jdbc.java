// JDBC: setString, createArrayOf, setBytes; where SQL has a cast, setObject(…, OTHER) leaves the type to it.
import com.google.gson.*;
import java.io.*;
import java.net.URI;
import java.nio.charset.StandardCharsets;
import java.sql.*;
import java.util.*;
import java.util.regex.*;

class Jdbc {
  public static void main(String[] none) throws Exception {
    var in = new BufferedReader(new InputStreamReader(System.in, StandardCharsets.UTF_8));
    var out = new PrintStream(System.out, true, StandardCharsets.UTF_8);
    var gson = new GsonBuilder().serializeNulls().create();
    var url = URI.create(JsonParser.parseString(in.readLine()).getAsJsonObject().get("url").getAsString());
    var login = url.getUserInfo().split(":", 2);
    var address = "jdbc:postgresql://" + url.getHost() + ":" + url.getPort() + url.getPath();
    try (var connection = DriverManager.getConnection(address, login[0], login[1])) {
      out.println(gson.toJson(Map.of("version", connection.getMetaData().getDriverVersion())));
      for (String line; (line = in.readLine()) != null; ) out.println(gson.toJson(answer(connection, JsonParser.parseString(line).getAsJsonObject())));
    }
  }

  static Map<String, Object> answer(Connection connection, JsonObject call) {
    var sql = call.get("sql").getAsString();
    var args = call.getAsJsonArray("args");
    try (var statement = connection.prepareStatement(sql.replaceAll("\\$\\d+", "?"))) {
      var place = Pattern.compile("\\$(\\d+)").matcher(sql);
      for (int n = 1; place.find(); n++) bind(connection, statement, n, args.get(Integer.parseInt(place.group(1)) - 1).getAsJsonObject());
      var rows = statement.executeQuery();
      rows.next();
      var value = rows.getObject(1);
      return Collections.singletonMap("value", value instanceof java.sql.Array array ? array.getArray() : value);
    } catch (SQLException error) {
      var server = error instanceof org.postgresql.util.PSQLException p ? p.getServerErrorMessage() : null;
      var said = new HashMap<String, Object>();
      said.put("sqlstate", error.getSQLState());
      said.put("message", server == null ? error.getMessage() : server.getMessage());
      said.put("hint", server == null ? null : server.getHint());
      return Map.of("error", said);
    }
  }

  static void bind(Connection connection, PreparedStatement statement, int n, JsonObject arg) throws SQLException {
    var kind = arg.keySet().iterator().next();
    var given = arg.get(kind);
    if (given.isJsonNull()) statement.setNull(n, Types.VARCHAR);
    else if (kind.equals("bytes")) statement.setBytes(n, Base64.getDecoder().decode(given.getAsString()));
    else if (kind.equals("texts")) statement.setArray(n, connection.createArrayOf("text", new Gson().fromJson(given, String[].class)));
    else statement.setString(n, given.getAsString());
  }
}
